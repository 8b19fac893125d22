"""RIME's firewall at central: instances are stages, sensitivities thresholds, and what cannot be measured is said."""

import ast

import pytest

from tests.central.conftest import At

URL = "/v1-beta/firewall"
CARD = "My card is 4111 1111 1111 1111"


class Rime:
    """A client of the firewall with one key."""

    def __init__(self, at: At) -> None:
        self.at = at

    async def __call__(self, method, path, status=200, **body):
        headers = {"X-Firewall-Auth-Token": self.at.key}
        given = {"json": body} if body else {}
        response = await self.at.http.request(method, f"http://central{path}", headers=headers, **given)
        assert response.status_code == status, response.text
        return response.json() if status == 200 else ast.literal_eval(response.text)["message"]

    async def instance(self, *rules, **told):
        config = {"selectedRules": [f"FIREWALL_RULE_TYPE_{rule}" for rule in rules], "individualRulesConfig": told}
        made = await self("POST", "/v1-beta/firewall-instance", config=config, description="shop")
        return made["firewallInstanceId"]["uuid"]

    async def validate(self, instance, **body):
        return await self("PUT", f"{URL}/{instance}/validate", **body)

    async def refused(self, *rules, **told):
        config = {"selectedRules": [f"FIREWALL_RULE_TYPE_{rule}" for rule in rules], "individualRulesConfig": told}
        return await self("POST", "/v1-beta/firewall-instance", 400, config=config)


@pytest.fixture
async def rime(admin):
    """RIME's client with a key of a project's editor."""
    return Rime(await (await admin.project()).key_for("editor"))


def flags(results):
    return {name.removeprefix("FIREWALL_RULE_TYPE_"): one["action"].endswith("FLAG") for name, one in results.items()}


async def test_an_instance_is_a_stage_whose_configurations_are_its_versions(rime, admin):
    instance = await rime.instance("PII_DETECTION")
    stage = await admin.get(f"/projects/shop/stages/{instance}")
    assert (stage["description"], stage["version"]) == ("shop", 1)
    config = {"selectedRules": ["FIREWALL_RULE_TYPE_TOXICITY"]}
    await rime("PATCH", f"/v1-beta/firewall-instance/{instance}", config=config)
    shown = await rime("GET", f"/v1-beta/firewall-instance/{instance}")
    assert shown["firewallInstance"]["config"] == config
    assert shown["firewallInstance"]["deploymentStatus"] == "FIREWALL_INSTANCE_STATUS_READY"
    versions = await admin.get(f"/projects/shop/stages/{instance}/versions")
    assert [one["version"] for one in versions["items"]] == [2, 1]
    assert versions["items"][0]["document"]["extra"]["rime"]["config"] == config


async def test_only_firewall_instances_are_listed_and_a_deleted_one_is_gone_but_kept(rime, admin):
    await admin.post("/projects/shop/stages", name="other")
    instance = await rime.instance("PII_DETECTION")
    listed = await rime("GET", "/v1-beta/firewall-instance")
    assert [one["firewallInstanceId"]["uuid"] for one in listed["firewallInstances"]] == [instance]
    assert "firewall instance" in await rime("GET", "/v1-beta/firewall-instance/other", 404)
    await rime("DELETE", f"/v1-beta/firewall-instance/{instance}")
    assert (await rime("GET", "/v1-beta/firewall-instance"))["firewallInstances"] == []
    assert (await admin.get(f"/projects/shop/stages/{instance}"))["paused"]


async def test_personal_data_is_flagged_with_its_place_and_the_text_without_it(rime):
    instance = await rime.instance("PII_DETECTION")
    answer = await rime.validate(instance, user_input_text=CARD, output_text="hello")
    assert flags(answer["inputResults"]) == {"PII_DETECTION": True}
    assert flags(answer["outputResults"]) == {"PII_DETECTION": False}
    details = answer["inputResults"]["FIREWALL_RULE_TYPE_PII_DETECTION"]["piiDetectionDetails"]
    assert details["sanitizedText"] == "My card is [CREDIT_CARD_INFO_1]"
    entity = details["flaggedEntities"][0]
    where = {"substringStartIndex": 11, "substringEndIndex": 30}
    assert entity["entityType"] == "PII_ENTITY_TYPE_CREDIT_CARD_NUMBER"
    assert entity["flaggedSubstring"] == {"requestBodyComponent": "REQUEST_BODY_COMPONENT_USER_INPUT", **where}


async def test_only_the_kinds_of_personal_data_that_were_asked_for_are_flagged(rime):
    told = {"entityTypes": ["PII_ENTITY_TYPE_EMAIL"], "customEntities": [{"name": "order", "patterns": ["ORD-[0-9]+"]}]}
    instance = await rime.instance("PII_DETECTION", piiDetectionInput=told)
    assert flags((await rime.validate(instance, userInputText=CARD))["inputResults"]) == {"PII_DETECTION": False}
    found = (await rime.validate(instance, userInputText="ORD-77 of jo@example.com"))["inputResults"]
    details = found["FIREWALL_RULE_TYPE_PII_DETECTION"]["piiDetectionDetails"]
    assert [one.get("customEntityName") for one in details["flaggedEntities"]] == [None, "order"]
    assert details["sanitizedText"] == "[ORDER_1] of [EMAIL_1]"


async def test_where_a_label_can_be_several_of_rimes_kinds_none_is_made_up(rime):
    instance = await rime.instance("PII_DETECTION")
    found = (await rime.validate(instance, userInputText="Pay to DE89 3704 0044 0532 0130 00"))["inputResults"]
    entity = found["FIREWALL_RULE_TYPE_PII_DETECTION"]["piiDetectionDetails"]["flaggedEntities"][0]
    assert "entityType" not in entity
    assert entity["customEntityName"] == "account_info"


async def test_links_languages_and_lengths_are_flagged_as_they_were_told(rime):
    instance = await rime.instance(
        "UNKNOWN_EXTERNAL_SOURCE",
        "LANGUAGE_DETECTION",
        "TOKEN_COUNTER",
        unknownExternalSource={"whitelistedUrls": ["example.com"]},
        languageDetection={"whitelistedLanguages": ["LANGUAGE_EN"]},
        tokenCounterInput={"maxTokens": "20"},
        tokenCounterOutput={"maxTokens": 20},
    )
    answer = await rime.validate(instance, userInputText="See https://example.com for the weather", outputText="Yes.")
    assert set(flags(answer["inputResults"]).values()) == {False}
    german = "Das Wetter ist heute sehr schön, und morgen soll es regnen, steht auf https://evil.test " * 3
    flagged = flags((await rime.validate(instance, userInputText=german))["inputResults"])
    assert flagged == {"UNKNOWN_EXTERNAL_SOURCE": True, "LANGUAGE_DETECTION": True, "TOKEN_COUNTER": True}
    contexts = await rime.validate(instance, contexts=["See https://evil.test"])
    assert flags(contexts["inputResults"]) == {"UNKNOWN_EXTERNAL_SOURCE": True}


async def test_the_effective_configuration_says_what_really_runs_and_from_where_on(rime):
    instance = await rime.instance(promptInjection={"prompt_injection_rule_sensitivity": "RULE_SENSITIVITY_HIGH"})
    config = (await rime("GET", f"{URL}/{instance}/effective-config"))["config"]
    rules = ["TOXICITY", "PII_DETECTION", "PROMPT_INJECTION", "INDIRECT_PROMPT_INJECTION", "FACTUAL_INCONSISTENCY"]
    assert config["selectedRules"] == [f"FIREWALL_RULE_TYPE_{rule}" for rule in rules]
    told = config["individualRulesConfig"]
    assert told["promptInjection"] == {"promptInjectionRuleSensitivity": "RULE_SENSITIVITY_HIGH"}
    assert told["toxicityRuleConfigInput"] == {"toxicityRuleSensitivity": "RULE_SENSITIVITY_MEDIUM"}


@pytest.mark.parametrize("rule", ["OFF_TOPIC", "CODE_DETECTION"])
async def test_a_rule_without_a_metric_is_refused_by_name(rime, rule):
    assert f"no metric yet for the rule {rule}" in await rime.refused(rule)
    field = {"OFF_TOPIC": "offTopic", "CODE_DETECTION": "codeDetection"}[rule]
    assert f"no metric yet for the rule {rule}" in await rime.refused("TOXICITY", **{field: {"malicious": True}})


async def test_what_cannot_be_asked_is_refused_with_the_reason(rime):
    assert "no metric yet for the entity type NRP" in await rime.refused(
        "PII_DETECTION", piiDetectionInput={"entityTypes": ["PII_ENTITY_TYPE_NRP"]}
    )
    words = {"customEntities": [{"name": "order", "patterns": ["ORD"], "contextWords": ["buy"]}]}
    assert "leave it out" in await rime.refused("PII_DETECTION", piiDetectionInput=words)
    pattern = {"customEntities": [{"name": "order", "patterns": ["(?=x)"]}]}
    assert "does not compile" in await rime.refused("PII_DETECTION", piiDetectionInput=pattern)
    assert "told what to look for" in await rime.refused("TOKEN_COUNTER")
    assert "FIREWALL_RULE_TYPE_NONSENSE" in await rime.refused("NONSENSE")
    assert "nonsense" in await rime.refused("TOXICITY", toxicityRuleConfigInput={"nonsense": 1})


async def test_a_rule_that_fails_is_an_error_and_never_an_allowed_text(rime, monkeypatch):
    from guard.metrics import Failure, Metric
    from guard.metrics.registry import REGISTRY

    instance = await rime.instance("PII_DETECTION")
    broken = Metric("pii", lambda turn, side: Failure("the model is missing"), kind="labels", version="1")
    monkeypatch.setitem(REGISTRY._made, "pii", broken)
    message = await rime("PUT", f"{URL}/{instance}/validate", 500, user_input_text=CARD)
    assert "PII_DETECTION" in message
    assert "the model is missing" in message


async def test_nothing_is_validated_while_the_stage_is_paused(rime, admin):
    instance = await rime.instance("PII_DETECTION")
    await admin.post(f"/projects/shop/stages/{instance}/pause")
    assert "paused" in await rime("PUT", f"{URL}/{instance}/validate", 409, user_input_text=CARD)


async def test_the_organisations_floor_speaks_here_too(rime, admin):
    floor = """
policy: floor
stages:
  input:
    rulesets:
      - name: no cards
        rules: [{metric: pii, operator: any, target_value: [credit_card_info]}]
        action: {type: override, choices: ["No."]}
floors: [no cards]
"""
    await admin.put("/floor", text=floor)
    instance = await rime.instance("LANGUAGE_DETECTION", languageDetection={"whitelistedLanguages": ["LANGUAGE_EN"]})
    answer = await rime.validate(instance, user_input_text=CARD)
    assert flags(answer["inputResults"]) == {"no cards": True, "LANGUAGE_DETECTION": False}


async def test_the_later_client_is_told_what_flagged_and_what_did_not_and_may_bring_a_configuration(rime):
    instance = await rime.instance("PII_DETECTION")
    path = f"/v1-beta/firewalls/{instance}"
    answer = await rime("POST", f"{path}/validate", userInputText=CARD, outputText="hello")
    assert list(answer["flaggedRules"]) == ["RULE_TYPE_PII_DETECTION_INPUT"]
    assert list(answer["allowedRules"]) == ["RULE_TYPE_PII_DETECTION_OUTPUT"]
    assert answer["flaggedValidationTypes"] == ["VALIDATION_TYPE_INPUT"]
    own = {"selectedRules": ["RULE_TYPE_PII_DETECTION_OUTPUT"]}
    answer = await rime("POST", f"{path}/validate", userInputText=CARD, outputText="hello", config=own)
    assert (answer["flaggedRules"], list(answer["allowedRules"])) == ({}, ["RULE_TYPE_PII_DETECTION_OUTPUT"])
    code = {"selectedRules": ["RULE_TYPE_CODE_DETECTION_INPUT"]}
    assert "CODE_DETECTION" in await rime("POST", f"{path}/validate", 400, userInputText=CARD, config=code)
    assert (await rime("GET", path))["firewallInstance"]["firewallInstanceName"] == instance


async def test_a_guardrail_scan_reads_conversation_and_answer_and_names_what_it_found(rime):
    instance = await rime.instance("PII_DETECTION")
    path = f"/v1/guardrail/{instance}/scan"
    query = '[{"role": "system", "content": "jo@example.com"}, {"role": "user", "content": "hello"}]'
    answer = '{"choices": [{"message": {"role": "assistant", "content": "4111 1111 1111 1111"}}]}'
    rulesets = [{"name": "PII"}, {"name": "PCI"}]
    safe = await rime("POST", path, query=query, rulesetTypes=rulesets)
    assert [one["response"]["status"] for one in safe["ruleset_types"]] == ["safe", "safe"]
    unsafe = await rime("POST", path, query=query, response=answer, rulesetTypes=rulesets)
    assert [one["response"]["status"] for one in unsafe["ruleset_types"]] == ["unsafe", "unsafe"]
    assert unsafe["ruleset_types"][1]["response"]["entities"] == ["CREDIT_CARD_NUMBER"]
    odd = await rime("POST", path, query='{"odd": "jo@example.com"}', rulesetTypes=rulesets)
    assert [one["response"]["status"] for one in odd["ruleset_types"]] == ["unsafe", "safe"]
    assert "PHI" in await rime("POST", path, 400, query=query, rulesetTypes=[{"name": "PHI"}])
    alone = '[{"role": "system", "content": "Be kind."}]'
    assert "nothing to scan" in await rime("POST", path, 400, query=alone, rulesetTypes=rulesets)


async def test_a_key_may_do_there_what_it_may_do_elsewhere(rime, admin):
    instance = await rime.instance("PII_DETECTION")
    assert "for one" in await Rime(admin)("GET", "/v1-beta/firewall-instance", 400)
    viewer = Rime(await admin.key_for("viewer"))
    assert "role 'viewer'" in await viewer("POST", "/v1-beta/firewall-instance", 403, description="x")
    await admin.post("/projects", name="other")
    stranger = Rime(await admin.key_for("editor", "other"))
    await stranger("GET", f"/v1-beta/firewall-instance/{instance}", 404)
    nobody = Rime(At(admin.http, "guard-nonsense"))
    await nobody("GET", "/v1-beta/firewall-instance", 401)


async def test_an_answer_is_never_given_again_to_another_caller(rime, admin):
    other = Rime(await admin.key_for("editor"))
    instance = await rime.instance("PII_DETECTION")
    path = f"http://central/v1-beta/firewalls/{instance}/validate"
    given = {"json": {"userInputText": CARD}}
    for key, replayed in ((rime.at.key, False), (rime.at.key, True), (other.at.key, False), ("nobody", False)):
        headers = {"X-Firewall-Auth-Token": key, "Idempotency-Key": "one"}
        response = await admin.http.post(path, headers=headers, **given)
        assert ("idempotent-replayed" in response.headers) == replayed
