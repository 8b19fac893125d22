"""The fleet: what proxies told of themselves, and that a lie of one harms no other."""

from __future__ import annotations

from typing import Any

from guard.policies.bundle import digest_of
from tests.central.conftest import At
from tests.central.test_policies import published, put

HERE = "/projects/shop/environments/production"


def report(sequence: int = 1, instance: str = "a:1", **more: Any) -> dict[str, Any]:
    return {"instance": instance, "started_at": 1.0, "sequence": sequence, "digest": "0" * 64, **more}


def disagreement(compared: int, disagreed: int) -> dict[str, Any]:
    names = {"policy": "support", "in_force": "support@1", "candidate": "support@2"}
    way = {"input: passthrough → override by long": disagreed}
    return {**names, "compared": compared, "disagreed": disagreed, "ways": way, "events": [f"e{compared}"]}


async def tell(proxy: At, status: int = 204, **given: Any) -> None:
    headers = {"authorization": f"Bearer {proxy.key}"}
    response = await proxy.http.post(f"http://central/api/v1{HERE}/reports", json=report(**given), headers=headers)
    assert response.status_code == status, response.text


async def digest(proxy: At) -> str:
    """The digest of what is in force."""
    return digest_of((await proxy.get(f"{HERE}/bundle"))["payload"])


async def two_releases(admin: At) -> At:
    """A proxy's key in a project with two releases."""
    await published(admin, 3, 9)
    await put(admin, 1)
    await put(admin, 2)
    return await admin.key_for("proxy")


async def test_the_fleet_shows_who_lags_who_is_silent_and_who_is_wrong(admin: At) -> None:
    proxy = await two_releases(admin)
    newest = (await admin.get(HERE))["sequence"]
    await tell(proxy, sequence=newest, instance="good", digest=await digest(proxy))
    await tell(proxy, sequence=newest, instance="forger")
    await tell(proxy, sequence=newest - 1, instance="late", problem="its signature is of none of the keys")
    await tell(proxy, sequence=newest + 7, instance="liar")
    admin.http.app.state.central.settings = admin.http.app.state.central.settings.model_copy(
        update={"silent_after": 1e9}
    )
    shown = {one["report"]["instance"]: one for one in (await admin.get("/fleet"))["items"]}
    assert {name: (one["lags"], one["wrong"], one["silent"]) for name, one in shown.items()} == {
        "good": (0, False, False), "late": (1, False, False), "liar": (0, True, False),
        "forger": (0, True, False),
    }  # fmt: skip
    assert shown["late"]["report"]["problem"].startswith("its signature")
    admin.http.app.state.central.settings = admin.http.app.state.central.settings.model_copy(
        update={"silent_after": 1e-9}
    )
    assert all(one["silent"] for one in (await admin.get("/fleet"))["items"])


async def test_a_report_replaces_the_last_one_of_the_same_worker_under_the_same_key_only(admin: At) -> None:
    proxy, other = await two_releases(admin), await admin.key_for("proxy")
    await tell(proxy, sequence=1)
    await tell(proxy, sequence=2)
    await tell(other, sequence=1)
    shown = (await admin.get("/fleet"))["items"]
    assert sorted(one["report"]["sequence"] for one in shown) == [1, 2]


async def test_a_lying_proxy_changes_nothing_but_what_is_shown_of_itself(admin: At, monkeypatch: Any) -> None:
    monkeypatch.setattr("guard.central.records.fleet.INSTANCES", 5)
    liar, honest = await two_releases(admin), await admin.key_for("proxy")
    before = await admin.get(HERE)
    await tell(honest, sequence=before["sequence"], instance="honest", digest=await digest(honest))
    for number in range(9):
        await tell(liar, sequence=99, instance=f"fake-{number}")
    await tell(liar, sequence=99, instance="honest")
    shown = (await admin.get("/fleet"))["items"]
    assert len(shown) == 5 + 1
    assert [one["wrong"] for one in shown if one["report"]["sequence"] != 99] == [False]
    assert await admin.get(HERE) == before


async def test_a_report_that_is_too_large_or_no_report_is_refused(admin: At) -> None:
    proxy = await two_releases(admin)
    ways = {f"w{number}": 1 for number in range(51)}
    for wrong in (
        {"problem": "x" * 5_000}, {"sequence": -1}, {"digest": "no"}, {"instance": "a\0b"}, {"statuses": {"ok": -1}},
        {"disagreements": [{**disagreement(1, 1), "ways": ways}]}, {"more": 1}, {"started_at": "NaN"},
    ):  # fmt: skip
        await tell(proxy, 422, **wrong)
    await tell(await admin.key_for("viewer"), 403)


async def test_disagreements_are_summed_over_the_proxies(admin: At) -> None:
    proxy = await two_releases(admin)
    await tell(proxy, instance="a", disagreements=[disagreement(100, 3)])
    await tell(proxy, instance="b", disagreements=[disagreement(50, 1)])
    (total,) = await admin.get(f"{HERE}/disagreement")
    assert (total["compared"], total["disagreed"], total["proxies"]) == (150, 4, 2)
    assert total["ways"] == {"input: passthrough → override by long": 4}
    assert sorted(total["events"]) == ["e100", "e50"]


async def test_false_counts_are_shown_as_that_proxys_own_and_take_the_candidate_nowhere(admin: At) -> None:
    liar, honest = await two_releases(admin), await admin.key_for("proxy")
    before = await admin.get(HERE)
    await tell(honest, instance="honest", statuses={"triggered": 3}, disagreements=[disagreement(100, 3)])
    most = 2**53
    await tell(
        liar, instance="liar", statuses={"triggered": most}, events_lost=most, disagreements=[disagreement(0, most)]
    )
    await tell(liar, 422, instance="liar", statuses={"triggered": most + 1})
    shown = {one["report"]["instance"]: one for one in (await admin.get("/fleet"))["items"]}
    assert shown["honest"]["report"]["statuses"] == {"triggered": 3}
    assert shown["liar"]["key"] != shown["honest"]["key"], "whoever reads it sees under which key it was told"
    (total,) = await admin.get(f"{HERE}/disagreement")
    assert (total["proxies"], total["disagreed"]) == (2, most + 3)
    assert await admin.get(HERE) == before, "nothing is put in force or taken back by what proxies say"


async def test_the_fleet_of_another_project_is_not_shown(admin: At) -> None:
    proxy = await two_releases(admin)
    await tell(proxy)
    await admin.post("/projects", name="bank")
    stranger = await admin.key_for("viewer", "bank")
    assert (await stranger.get("/fleet"))["items"] == []
    await stranger.get("/fleet", 404, params={"project": "shop"})


async def test_the_fleet_comes_in_pages(admin: At) -> None:
    proxy = await two_releases(admin)
    for name in "abcde":
        await tell(proxy, instance=name)
    first = await admin.get("/fleet", params={"limit": 3})
    rest = await admin.get("/fleet", params={"limit": 3, "cursor": first["next"]})
    assert [one["report"]["instance"] for one in first["items"] + rest["items"]] == list("abcde")
    assert rest["next"] is None
    await admin.get("/fleet", 422, params={"cursor": "nonsense"})
