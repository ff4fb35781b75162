"""A call whose arguments somebody edits on its flow: the trace has what really ran."""

from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.test import taddons, tflow

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.endpoints.approval import Approval
from werkzeugkoppler.endpoints.effects import Effects
from werkzeugkoppler.gate.grants import Grants
from werkzeugkoppler.labels import Link
from werkzeugkoppler.tools.tool import Progress, Tool, ToolResult
from werkzeugkoppler.traces import begin
from werkzeugkoppler.wire.assemble import ToolCall


class Editor:
    """An addon that puts other arguments into each call."""

    def __init__(self, arguments: str) -> None:
        self._arguments = arguments

    def request(self, flow: http.HTTPFlow) -> None:
        flow.request.text = self._arguments


async def say(values: dict[str, Any], progress: Progress) -> ToolResult:
    return ToolResult(True, values)


async def traced_result(arguments: str, edited: str, *, keeps_content: bool) -> dict[str, Any]:
    """The event about the end of a call, as somebody edited it."""
    trace = begin("turn", keeps_content=keeps_content)
    link = Link(tflow.tclient_conn(), "turn")
    stack: Any = SimpleNamespace(settings=Settings(upstream_base_url="demo"))
    call: Any = SimpleNamespace(stack=stack, trace=trace, link=link)
    approval = Approval(call, {"actions__say": Tool("actions", "say", "", {}, say)}, (), Grants)
    effects = Effects(call, stream=True, approval=approval, repairs=tuple, made={})
    with taddons.context(Editor(edited)):
        await effects.call_tool(ToolCall("call_1", "actions__say", arguments), 1, lambda line: None)
    return next(event for event in trace.events if event["type"] == "tool_result")


@pytest.mark.contract("BX-10")
async def test_the_arguments_that_ran_are_traced_where_contents_are() -> None:
    result = await traced_result('{"a": 1}', '{"a": 2}', keeps_content=True)
    assert result["edited"] is True
    assert result["arguments"].value == '{"a": 2}'
    assert result["content"].value == '{"ok": true, "result": {"a": 2}}'
    result = await traced_result('{"a": 1}', '{"a": 2}', keeps_content=False)
    assert result["edited"] is True and "arguments" not in result


@pytest.mark.contract("BX-10")
@pytest.mark.parametrize("arguments", ['{"a": "ü"}', "", '{"a": "\ud800"}'])
async def test_what_nobody_edited_is_not_called_so(arguments: str) -> None:
    sent = arguments.encode("utf-8", "replace").decode()
    result = await traced_result(arguments, sent, keeps_content=True)
    assert "edited" not in result and "arguments" not in result
