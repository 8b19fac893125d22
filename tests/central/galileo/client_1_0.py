"""What an app does with `galileo-protect` 1.0, in an environment of its own; prints what came of it as JSON."""

import json
import os
import sys

import galileo_protect as gp
from galileo_core.exceptions.http import GalileoHTTPException
from galileo_core.schemas.protect.stage import StageType
from langchain_core.runnables import RunnableLambda

CALM, LONG = "hello there", "one two three four five"
told: dict = {}


def ruleset(metric="input_word_count", operator="gt", target=3, subscriptions=()) -> gp.Ruleset:
    action = gp.OverrideAction(choices=["Too long."], subscriptions=list(subscriptions))
    return gp.Ruleset(rules=[gp.Rule(metric=metric, operator=operator, target_value=target)], action=action)


def plain(response) -> dict:
    return json.loads(response.model_dump_json())


def main() -> None:
    told["health"] = gp.healthcheck()
    project = gp.create_project("shop")
    told["project"] = [str(gp.create_project("shop").id), str(gp.get_project(project_name="shop").id), str(project.id)]
    told["projects"] = [one.name for one in gp.get_projects()]
    subscription = gp.SubscriptionConfig(url=os.environ["WEBHOOK"], statuses=["triggered"])
    rulesets = [ruleset(subscriptions=[subscription])]
    stage = gp.create_stage(project.id, name="front", type=StageType.central, prioritized_rulesets=rulesets)
    told["made"] = plain(stage)
    told["got"] = plain(gp.get_stage(project_name="shop", stage_name="front"))
    told["triggered"] = plain(gp.invoke(gp.Payload(input=LONG), stage_id=stage.id))
    told["updated"] = plain(gp.update_stage(stage_name="front", prioritized_rulesets=[ruleset(target=100)]))
    told["not triggered"] = plain(gp.invoke(gp.Payload(input=LONG), stage_id=stage.id))
    gp.pause_stage()
    told["paused"] = plain(gp.invoke(gp.Payload(input=LONG), stage_id=stage.id))
    gp.resume_stage()
    local = gp.create_stage(project.id, name="local")
    told["its metrics"] = {
        metric.name: plain(
            gp.invoke(
                gp.Payload(input="Who is he?", output="He is."),
                stage_id=local.id,
                prioritized_rulesets=[ruleset(metric.value, "eq", -1)],
            )
        )
        for metric in gp.RuleMetrics
    }
    tool = gp.ProtectTool(prioritized_rulesets=[ruleset()], stage_id=local.id)
    chained = tool | gp.ProtectParser(chain=RunnableLambda(lambda text: f"the chain: {text}")).parser
    told["parser"] = [chained.invoke({"input": LONG}), chained.invoke({"input": CALM})]
    try:
        gp.create_stage(project.id, name="front")
    except GalileoHTTPException as error:
        told["taken"] = [error.status_code, error.response_text]


if __name__ == "__main__":
    main()
    json.dump(told, sys.stdout)
