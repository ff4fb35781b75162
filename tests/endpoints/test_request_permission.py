"""What a model gets that asks for a permission, when its request is let go."""

from types import SimpleNamespace
from typing import Any

import pytest

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.endpoints.approval import Approval
from werkzeugkoppler.gate.grants import Grants
from werkzeugkoppler.gate.permission import REQUEST_PERMISSION
from werkzeugkoppler.tools.tool import Progress, Tool, ToolResult
from werkzeugkoppler.traces import begin
from werkzeugkoppler.wire.assemble import ToolCall

PUSH = ToolCall("call_1", "actions__push", "{}")


async def never(values: dict[str, Any], progress: Progress) -> ToolResult:
    raise AssertionError("it is not run here")


def approval_of(*costs: str) -> tuple[Approval, Any]:
    """The say over a tool with these costs, none of them authorized, and the trace."""
    tool = Tool("actions", "push", "", {"type": "object"}, never, costs=costs)
    call: Any = SimpleNamespace(
        stack=SimpleNamespace(settings=Settings(upstream_base_url="demo")), trace=begin("turn")
    )
    return Approval(call, {PUSH.name: tool}, (), Grants), call.trace


async def let_go(approval: Approval, **asked: Any) -> dict[str, Any]:
    """What the model is told of its request, as the operator let it go."""
    told = await approval.tools[REQUEST_PERMISSION].run(asked, lambda line: None)
    assert isinstance(told.value, dict)
    return told.value


@pytest.mark.contract("OW-61", "OW-63")
async def test_a_category_that_no_tool_needs_is_denied_with_a_note_that_names_the_others() -> None:
    approval, trace = approval_of("git_push", "deploy")
    told = await let_go(approval, action="publish", category="depoly")
    assert (told["granted"], told["scope_granted"], told["grant_id"]) == (False, None, None)
    assert told["operator_note"].endswith("it can be git_push, deploy")
    assert approval.refusal(PUSH) is not None
    denied = next(event for event in trace.events if event["type"] == "permission_denied")
    assert denied["reason"] == "no tool needs what the request names"
    assert not trace.has("permission_granted") and "depoly" not in str(trace.events)


@pytest.mark.contract("OW-61", "OW-62")
@pytest.mark.parametrize("category", ["*", ["git_*", "deploy"], "git_*"])
async def test_a_pattern_covers_what_it_matches(category: Any) -> None:
    approval, trace = approval_of("git_push", "deploy")
    told = await let_go(approval, action="publish", category=category, scope="this_session")
    assert told["granted"] is True
    granted = next(event for event in trace.events if event["type"] == "permission_granted")
    is_whole = category != "git_*"
    assert granted["costs"] == (["git_push", "deploy"] if is_whole else ["git_push"])
    assert (approval.refusal(PUSH) is None) == is_whole


@pytest.mark.contract("OW-61")
async def test_a_pattern_covers_what_it_stands_for_in_the_config() -> None:
    approval, _ = approval_of("mcp_tool:files:write")
    assert (await let_go(approval, category="mcp_tool:files"))["granted"] is True
    assert approval.refusal(PUSH) is None
