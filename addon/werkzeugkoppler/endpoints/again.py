"""A tool call, a reader or a direct command of an earlier turn, done once more: an operator replays it.

The settings of the moment decide whether it may run: its costs, the policy for commands. Nobody is asked to
approve it: whoever can replay a flow is the one who would be asked.
"""

from collections.abc import Mapping
from typing import Any

from werkzeugkoppler.endpoints import effects, retrieval
from werkzeugkoppler.endpoints.approval import SOURCE, Approval
from werkzeugkoppler.endpoints.call import Call, Reply
from werkzeugkoppler.endpoints.direct import command_again
from werkzeugkoppler.endpoints.traced import traced
from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.gate.grants import Grants
from werkzeugkoppler.gate.permission import REQUEST_PERMISSION
from werkzeugkoppler.labels import DENIED_STATUS
from werkzeugkoppler.wire.assemble import ToolCall
from werkzeugkoppler.wire.http import JSON_HEADERS, TEXT_HEADERS


async def again(call: Call, done: Mapping[str, Any]) -> Reply:
    """Do it.

    Args:
        call: Its body is the exchange's, as it may have been edited.
        done: What the exchange's `flow.metadata` says of it.

    Raises:
        ApiError: What did it is not there any more, or it may not run.
    """
    body = call.body.decode("utf-8", "replace")
    match done["kind"]:
        case "tool":
            status, text = await _tool(call, done, body)
            return Reply(status, JSON_HEADERS, text.encode("utf-8", "replace"))
        case "reader":
            status, text = await _reader(call, done.get("reader"), body)
        case _:
            status, text = 200, await command_again(call, body)
    return Reply(status, TEXT_HEADERS, text.encode("utf-8", "replace"))


async def _tool(call: Call, done: Mapping[str, Any], arguments: str) -> tuple[int, str]:
    source, tool_name, trace = done.get("source"), done.get("tool"), call.trace
    if (source, tool_name) == (SOURCE, REQUEST_PERMISSION):
        problem = "a permission is for the turn that asks for it: replay the tool call that needs it instead"
        raise ApiError(409, problem, code="not_a_client_request")
    offered = await call.stack.offered_tools()
    found = (item for item in offered.items() if (item[1].source, item[1].name) == (source, tool_name))
    name, tool = next(found, (None, None))
    if name is None or tool is None:
        raise _gone(f"tool {source}/{tool_name}")
    called = ToolCall(str(done.get("call_id", "")), name, arguments)
    is_called = {"call_id": called.id, "name": name}
    trace.add("tool_call", **is_called, bytes=len(arguments), arguments=trace.content(arguments))
    with traced(trace, "tool_result", if_cancelled="tool_cancelled", **is_called) as outcome:
        # No model is there that could ask for a permission.
        approval = Approval(call, {name: tool}, (REQUEST_PERMISSION,), Grants)
        refusal = approval.refusal(called)
        result = (DENIED_STATUS, refusal) if refusal else await effects.perform(tool, _unheard, arguments)
        outcome.of(result)
        return result


async def _reader(call: Call, name: Any, message: str) -> tuple[int, str]:
    reader = next((reader for reader in call.stack.readers if reader.name == name), None)
    if reader is None:
        raise _gone(f"reader {name}")
    with traced(call.trace, "reader", name=name) as outcome:
        result = await retrieval.perform(reader, message)
        outcome.of(result)
        return result


def _unheard(line: str) -> None:
    """Takes the news of a tool, which nobody waits for."""


def _gone(what: str) -> ApiError:
    return ApiError(404, f"there is no {what} in the configuration that runs", code="not_found")
