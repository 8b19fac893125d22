"""The routes that RIME's clients use, and errors as those clients read them."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader
from pydantic import ConfigDict, Field

from guard.central.api.common import Centre, Named, admitted, central_of, refuse_unstorable
from guard.central.compat.rime import instances
from guard.central.compat.rime.answers import answer as answer_of
from guard.central.compat.rime.answers import later_answer
from guard.central.compat.rime.config import Wire
from guard.central.compat.rime.rules import checks
from guard.central.compat.rime.run import run, turn_of
from guard.central.compat.rime.scan import Scan, checks_of, scanned
from guard.central.compat.rime.shown import effective, shown, shown_later
from guard.central.compat.route import CompatRoute
from guard.central.principal import Principal
from guard.errors import Unauthorised

#: gRPC's codes, which those clients' servers put into errors, by HTTP status.
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 9, 429: 8, 503: 14}
_HEADER = APIKeyHeader(name="X-Firewall-Auth-Token", auto_error=False, description="An API key of a project.")
INSTANCE, INSTANCES = "/v1-beta/firewall-instance", "/v1-beta/firewalls"


class RimeRoute(CompatRoute):
    """A route whose errors those clients can read: as Python, in which there is no null."""

    @staticmethod
    def told(response: JSONResponse) -> JSONResponse:
        """The error as gRPC's gateways give it."""
        error = json.loads(bytes(response.body))["error"]
        status = 400 if response.status_code == 422 else response.status_code
        return JSONResponse({"code": _CODES.get(status, 13), "message": error["message"], "details": []}, status)


async def caller(request: Request, key: Annotated[str | None, Depends(_HEADER)]) -> Principal:
    """Whom a request's key stands for. Raises Unauthorised, and RateLimited where it asks too often."""
    if not key:
        raise Unauthorised("a key is required; send it as 'X-Firewall-Auth-Token: KEY'")
    return await admitted(central_of(request), key)


Caller = Annotated[Principal, Depends(caller)]


class Body(Wire):
    """A request's body. Much of RIME's own says how to deploy: it is not read."""

    model_config = ConfigDict(extra="ignore")

    config: dict[str, Any] | None = None
    description: Annotated[str | None, Field(max_length=2_000)] = None


class Validation(Body):
    """What to validate. `config` stands in for the instance's own, this once."""

    user_input_text: str | None = None
    output_text: str | None = None
    contexts: Annotated[list[str] | None, Field(max_length=1_000)] = None


router = APIRouter(tags=["RIME's clients"], route_class=RimeRoute)


@router.post(INSTANCE)
async def create_instance(body: Body, central: Centre, by: Caller) -> dict[str, Any]:
    """Make a firewall instance: a stage of the project that the key is for."""
    refuse_unstorable(body.model_dump())
    identifier = await instances.create(central, by, body.config or {}, body.description or "")
    return {"firewallInstanceId": {"uuid": identifier}}


@router.get(INSTANCE)
async def list_instances(central: Centre, by: Caller) -> dict[str, Any]:
    """The project's firewall instances."""
    return {"firewallInstances": [shown(one) for one in await instances.every(central, by)]}


@router.get(INSTANCE + "/{instance}")
async def get_instance(instance: Named, central: Centre, by: Caller) -> dict[str, Any]:
    """A firewall instance."""
    return {"firewallInstance": shown(await instances.find(central, by, instance, "read"))}


@router.patch(INSTANCE + "/{instance}")
async def update_instance(instance: Named, body: Body, central: Centre, by: Caller) -> dict[str, Any]:
    """Give a firewall instance another configuration or description: its stage's next version."""
    refuse_unstorable(body.model_dump())
    return {"firewallInstance": shown(await instances.update(central, by, instance, body.config, body.description))}


@router.delete(INSTANCE + "/{instance}")
async def delete_instance(instance: Named, central: Centre, by: Caller) -> dict[str, Any]:
    """Take a firewall instance away. Its stage stays, paused, with all its versions."""
    await instances.delete(central, by, instance)
    return {}


@router.get("/v1-beta/firewall/{instance}/effective-config")
async def effective_config(instance: Named, central: Centre, by: Caller) -> dict[str, Any]:
    """What a firewall instance really asks, with all that was left out filled in."""
    return {"config": effective((await instances.find(central, by, instance, "read")).config)}


@router.put("/v1-beta/firewall/{instance}/validate")
async def validate(instance: Named, body: Validation, central: Centre, by: Caller) -> dict[str, Any]:
    """Validate an input, its contexts and an output, as 2.10 asks."""
    found = await instances.find(central, by, instance, "use")
    turn = turn_of(body.user_input_text, body.output_text, body.contexts or ())
    sides = await run(central, found.row, checks(found.config), turn, by.app)
    return answer_of(found.row.id, turn, sides)


@router.get(INSTANCES)
async def list_instances_later(central: Centre, by: Caller) -> dict[str, Any]:
    """The project's firewall instances, as 2.13 asks."""
    return {"firewallInstances": [shown_later(one) for one in await instances.every(central, by)]}


@router.get(INSTANCES + "/{instance}")
async def get_instance_later(instance: Named, central: Centre, by: Caller) -> dict[str, Any]:
    """A firewall instance, as 2.13 asks."""
    return {"firewallInstance": shown_later(await instances.find(central, by, instance, "read"))}


@router.post(INSTANCES + "/{instance}/validate")
async def validate_later(instance: Named, body: Validation, central: Centre, by: Caller) -> dict[str, Any]:
    """Validate an input and an output, as 2.13 asks."""
    found = await instances.find(central, by, instance, "use")
    config = found.config if body.config is None else instances.parsed(body.config)
    turn = turn_of(body.user_input_text, body.output_text, body.contexts or ())
    sides = await run(central, found.row, checks(config), turn, by.app)
    return later_answer(found.row.id, config.language, turn, sides)


@router.post("/v1/guardrail/{instance}/scan")
async def scan(instance: Named, body: Scan, central: Centre, by: Caller) -> dict[str, Any]:
    """Scan a conversation against rulesets that the request names."""
    found = await instances.find(central, by, instance, "use")
    sides = await run(central, found.row, checks_of(body, found.config), body.turn(), by.app)
    return scanned(body, sides)
