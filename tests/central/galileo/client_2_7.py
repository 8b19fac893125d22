"""What an app does with `galileo` 2.7, in an environment of its own; prints what came of each step as JSON."""

import json
import os
import sys
from uuid import uuid4

from galileo.config import GalileoPythonConfig
from galileo.exceptions import ConflictError, ForbiddenError, NotFoundError
from galileo.handlers.langchain.tool import ProtectParser, ProtectTool
from galileo.projects import Projects
from galileo.protect import invoke_protect
from galileo.schema.metrics import GalileoMetrics
from galileo.stages import (
    create_protect_stage,
    get_protect_stage,
    pause_protect_stage,
    resume_protect_stage,
    update_protect_stage,
)
from galileo_core.schemas.protect.action import OverrideAction, PassthroughAction
from galileo_core.schemas.protect.payload import Payload
from galileo_core.schemas.protect.rule import Rule, RuleOperator
from galileo_core.schemas.protect.ruleset import Ruleset
from galileo_core.schemas.protect.stage import StageType
from galileo_core.schemas.protect.subscription_config import SubscriptionConfig
from langchain_core.runnables import RunnableLambda

WEBHOOK = os.environ["WEBHOOK"]
CALM, LONG = "hello there", "one two three four five"
told: dict = {}


def ruleset(metric="input_word_count", operator=RuleOperator.gt, target=3, action=None, **more) -> Ruleset:
    rule = Rule(metric=metric, operator=operator, target_value=target)
    return Ruleset(rules=[rule], action=action or OverrideAction(choices=["Too long."]), **more)


def plain(response) -> dict:
    return json.loads(response.model_dump_json())


def refused(step, kind) -> str:
    try:
        step()
    except kind as error:
        return str(error)
    return "not refused"


def stages(project_id) -> None:
    stage = create_protect_stage(
        project_id=project_id,
        name="front",
        stage_type=StageType.central,
        prioritized_rulesets=[ruleset()],
        description="d",
    )
    told["made"] = plain(stage)
    told["got by name"] = plain(get_protect_stage(project_name="shop", stage_name="front"))
    told["got by id"] = plain(get_protect_stage(project_id=project_id, stage_id=stage.id))
    told["first version"] = plain(invoke_protect(payload=Payload(input=LONG), stage_id=stage.id))
    told["updated"] = plain(
        update_protect_stage(project_id=project_id, stage_name="front", prioritized_rulesets=[ruleset(target=100)])
    )
    told["newest version"] = plain(invoke_protect(payload=Payload(input=LONG), stage_id=stage.id))
    told["older version"] = plain(invoke_protect(payload=Payload(input=LONG), stage_id=stage.id, stage_version=1))
    told["paused"] = plain(pause_protect_stage(project_id=project_id, stage_id=stage.id))
    told["while paused"] = plain(invoke_protect(payload=Payload(input=LONG), stage_id=stage.id, stage_version=1))
    told["resumed"] = plain(resume_protect_stage(project_id=project_id, stage_id=stage.id))


def local(*rulesets, text=LONG, **more) -> dict:
    payload = more.pop("payload", None) or Payload(input=text)
    return plain(
        invoke_protect(payload=payload, prioritized_rulesets=rulesets, project_name="shop", stage_name="local", **more)
    )


def statuses(project_id) -> None:
    told["triggered"] = local(ruleset(description="no essays"), metadata={"trace": "7"}, headers={"x-my": "1"})
    told["not triggered"] = local(ruleset(), text=CALM)
    told["skipped"] = local()
    told["timeout"] = local(ruleset("slow"), timeout=0.2)
    told["failed"] = local(ruleset("broken"))
    told["error"] = local(ruleset("unloadable"))
    told["passed through"] = local(ruleset(action=PassthroughAction()))
    told["the first of two"] = local(
        ruleset(target=100),
        ruleset(action=OverrideAction(choices=["First."])),
        ruleset(action=OverrideAction(choices=["Second."])),
    )
    told["of the output"] = local(ruleset("output_word_count"), payload=Payload(input="?", output=LONG))
    told["other side"] = local(ruleset("output_word_count"))
    told["all metrics"] = {
        metric.name: local(ruleset(metric, RuleOperator.eq, -1), payload=Payload(input="Who?", output="He is."))
        for metric in GalileoMetrics
    }
    told["made on the fly"] = plain(get_protect_stage(project_id=project_id, stage_name="local"))


def subscriptions() -> None:
    subscription = SubscriptionConfig(url=WEBHOOK, statuses=["triggered", "failed"])
    action = OverrideAction(choices=["Told."], subscriptions=[subscription])
    told["subscribed"] = local(ruleset(action=action))
    told["subscribed to failures"] = local(ruleset("broken", action=action))


def langchain() -> None:
    tool = ProtectTool(prioritized_rulesets=[ruleset()], project_name="shop", stage_name="local")
    chain = RunnableLambda(lambda text: f"the chain: {text}")
    chained = tool | ProtectParser(chain=chain).parser
    told["tool"] = json.loads(tool.invoke({"input": LONG}))
    told["parser, triggered"] = chained.invoke({"input": LONG})
    told["parser, not triggered"] = chained.invoke({"input": CALM})
    told["parser, trigger ignored"] = (tool | ProtectParser(chain=chain, ignore_trigger=True).parser).invoke(
        {"input": LONG}
    )


def errors(project_id) -> None:
    told["taken"] = refused(lambda: create_protect_stage(project_id=project_id, name="front"), ConflictError)
    told["no such stage"] = refused(lambda: get_protect_stage(project_id=project_id, stage_name="no"), NotFoundError)
    told["no such id"] = refused(lambda: invoke_protect(payload=Payload(input="x"), stage_id=uuid4()), NotFoundError)
    told["unintelligible"] = invoke_protect(
        payload=Payload(input="x"), stage_id=told["made"]["id"], prioritized_rulesets=[ruleset()]
    ).to_dict()
    GalileoPythonConfig.get().reset()
    GalileoPythonConfig.get(api_key=os.environ["VIEWER_KEY"])
    told["a viewer makes a stage"] = refused(
        lambda: create_protect_stage(project_id=project_id, name="x"), ForbiddenError
    )


if __name__ == "__main__":
    GalileoPythonConfig.get()
    project = Projects().create("shop")
    told["project"] = [project.id, Projects().get(name="shop").id, Projects().get(id=project.id).name]
    told["all projects"] = [one.name for one in Projects().list()]
    stages(project.id)
    statuses(project.id)
    subscriptions()
    langchain()
    errors(project.id)
    json.dump(told, sys.stdout)
