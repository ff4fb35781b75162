"""Tool calls in the forms in which servers send them that differ from OpenAI's (BX-02).

All calls of a message under index 0: https://github.com/ollama/ollama/issues/15457. No index:
https://github.com/ollama/ollama/issues/7881, https://github.com/openai/openai-python/issues/2806 (Gemini).
`stop` after calls: https://github.com/googleapis/python-genai/issues/2868.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from werkzeugkoppler.doctor.probe import judges
from werkzeugkoppler.doctor.probe.lab import Lab
from werkzeugkoppler.doctor.probe.script import chunk, event, framed, head, said
from werkzeugkoppler.doctor.probe.scripted import Asked, Piece, Reply
from werkzeugkoppler.doctor.probe.tools import WEATHER, ends_in_call, gateway_tool, whole_call, with_tool
from werkzeugkoppler.doctor.probe.transcript import Transcript
from werkzeugkoppler.doctor.probe.verdict import AnyExperiment, Fault, single
from werkzeugkoppler.wire.sse import DONE

type Make = Callable[[Asked, str], Sequence[Piece]]
"""The chunks of a message that calls a tool of this name."""


class Form(NamedTuple):
    """A form of calls, and how many calls are meant."""

    title: str
    make: Make
    meant: int


def _delta(asked: Asked, *calls: dict[str, Any], **more: Any) -> bytes:
    return chunk(asked, {"tool_calls": list(calls)}, **more)


def _call(name: str, id: str, arguments: Any = "{}", **more: Any) -> dict[str, Any]:
    return {**more, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _shared_index(asked: Asked, name: str) -> list[Piece]:
    one, other = (_call(name, id, index=0) for id in ("call_one", "call_two"))
    return framed(asked, [_delta(asked, one), _delta(asked, other)], "tool_calls")


def _no_index(asked: Asked, name: str) -> list[Piece]:
    return framed(asked, [_delta(asked, _call(name, "call_one"))], "tool_calls")


def _object_arguments(asked: Asked, name: str) -> list[Piece]:
    return framed(asked, [_delta(asked, _call(name, "call_one", {}, index=0))], "tool_calls")


def _stop_after_calls(asked: Asked, name: str) -> list[Piece]:
    return framed(asked, [_delta(asked, _call(name, "call_one", index=0))], "stop")


def _finish_without_delta(asked: Asked, name: str) -> list[Piece]:
    choice = {"index": 0, "finish_reason": "tool_calls"}
    finish = event({**head(asked), "object": "chat.completion.chunk", "choices": [choice]})
    called = framed(asked, [_delta(asked, _call(name, "call_one", index=0))], None, usage=None)
    return [*called[:-1], finish, DONE]


FORMS = (
    Form("two calls under one index", _shared_index, 2),
    Form("a call without an index", _no_index, 1),
    Form("arguments as an object", _object_arguments, 1),
    Form("stop after a call", _stop_after_calls, 1),
    Form("a finish chunk without a delta", _finish_without_delta, 1),
)


async def _to_client(form: Form, lab: Lab) -> Transcript:
    name = WEATHER["function"]["name"]
    with lab.scene(lambda asked: Reply(form.make(asked, name))) as scene:
        return judges.accepted(await lab.gateway.transcript(lab.stream(scene, tools=[WEATHER])))


def _calls_meant(form: Form, stream: Transcript) -> str:
    if len(stream.calls) != form.meant:
        raise Fault(f"{len(stream.calls)} calls instead of {form.meant}")
    for seen in stream.calls:
        whole_call(seen)
        if _parsed(seen.arguments) != {}:
            raise Fault(f"the arguments are {seen.arguments!r}")
    if form.make is _stop_after_calls:
        ends_in_call(stream)
    return f"{form.meant} whole" + (" calls" if form.meant > 1 else " call")


async def _to_gateway(form: Form, lab: Lab) -> Asked:
    def respond(asked: Asked) -> Reply:
        name = gateway_tool(asked)
        if name is None or asked.results:
            return said(asked, "Done.")
        return Reply(form.make(asked, name))

    with lab.scene(respond) as scene:
        stream = await lab.gateway.transcript(lab.stream(scene))
        last = with_tool(scene).asked[-1]
        if stream.text != "Done." and not last.results:
            raise Fault(f"the call was not run: finish_reason {stream.finishes}, {len(stream.errors)} errors")
        return last


def _calls_run(form: Form, last: Asked) -> str:
    if len(last.results) != form.meant:
        raise Fault(f"{len(last.results)} tool results instead of {form.meant}")
    return f"{form.meant} run"


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return None


def _experiments() -> list[AnyExperiment]:
    found: list[AnyExperiment] = []
    for form in FORMS:
        client, ours = partial(_to_client, form), partial(_to_gateway, form)
        found.append(single(f"for the client: {form.title}", "BX-02", client, partial(_calls_meant, form)))
        found.append(single(f"for the gateway: {form.title}", "BX-02", ours, partial(_calls_run, form)))
    return found


SCRIPTED: tuple[AnyExperiment, ...] = tuple(_experiments())
