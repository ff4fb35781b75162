"""What lets a turn's tools run, and what its trace has of that."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.endpoints.approval import Approval
from werkzeugkoppler.endpoints.effects import Effects
from werkzeugkoppler.gate.grants import Grants
from werkzeugkoppler.gate.permission import REQUEST_PERMISSION
from werkzeugkoppler.tools.tool import Progress, Tool, ToolResult
from werkzeugkoppler.traces import Trace, begin
from werkzeugkoppler.wire.assemble import ToolCall


async def publish(values: dict[str, Any], progress: Progress) -> ToolResult:
    return ToolResult(True, "published")


PUBLISH = Tool("actions", "publish", "Goes online", {}, publish, costs=("deploy",))


def approval_of(trace: Trace) -> Approval:
    settings = Settings.model_validate({"upstream_base_url": "demo"})
    call: Any = SimpleNamespace(trace=trace, stack=SimpleNamespace(settings=settings))
    return Approval(call, {"publish": PUBLISH}, (), Grants)


def decisions(trace: Trace) -> list[tuple[Any, ...]]:
    return [
        (event["type"], event.get("costs"), event.get("reason"))
        for event in trace.events
        if event["type"].startswith("permission")
    ]


@pytest.mark.contract("OW-63")
async def test_a_trace_has_no_words_of_the_models_for_costs() -> None:
    approval = approval_of(trace := begin("turn"))
    arguments = {"action": "it", "category": ["deploy", "the password is 1234"]}
    asked = ToolCall("a", REQUEST_PERMISSION, json.dumps(arguments))
    assert approval.question(asked, 1, lambda line: None) is not None
    await approval.tools[REQUEST_PERMISSION].run(arguments, lambda line: None)
    assert decisions(trace) == [
        ("permission_requested", ["deploy"], None),
        ("permission_granted", ["deploy"], None),
    ]


@pytest.mark.contract("OW-63")
@pytest.mark.parametrize("arguments", ["no JSON", "[]", "{"])
async def test_a_request_that_was_edited_into_nothing_is_denied(arguments: str) -> None:
    approval = approval_of(trace := begin("turn"))
    call: Any = SimpleNamespace(trace=trace)
    effects = Effects(call, stream=True, approval=approval, repairs=tuple, made={})
    asked, tool = ToolCall("a", REQUEST_PERMISSION, "{}"), approval.tools[REQUEST_PERMISSION]
    status, _ = await effects._perform(asked, tool, lambda line: None, arguments)
    assert status == 500
    assert decisions(trace) == [("permission_denied", None, "its arguments are no JSON object")]
