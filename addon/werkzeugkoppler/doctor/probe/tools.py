"""Tool calls: the gateway's own stay hidden, the client's are handed over whole."""

import asyncio
from typing import Any, NamedTuple

from werkzeugkoppler.doctor.probe import judges
from werkzeugkoppler.doctor.probe.lab import Lab
from werkzeugkoppler.doctor.probe.script import USAGE, call, called, said
from werkzeugkoppler.doctor.probe.scripted import Asked, Piece, Reply, Respond, Scenario
from werkzeugkoppler.doctor.probe.transcript import SeenCall, Transcript, Whole
from werkzeugkoppler.doctor.probe.verdict import AnyExperiment, Check, Experiment, Fault, Skip, single

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "doctor_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
"""The tool that the client brings."""
ARGUMENTS = '{"city": "Bern",  "days": 1.0}'
CALL_WEATHER = call("doctor_weather", ARGUMENTS)
QUESTION = "What is the weather in Paris? Use the tool."
NO_TOOL = "the gateway offers no tool"

EARLY, LATE = "Let me see. ", "Done."
LATE_USAGE = {"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23}


def gateway_tool(asked: Asked) -> str | None:
    """A tool that the gateway added, best one that can be called without arguments."""
    ours = [tool for tool in asked.tools if tool["name"] != CALL_WEATHER["function"]["name"]]
    free = [tool for tool in ours if not (tool.get("parameters") or {}).get("required")]
    return next((str(tool["name"]) for tool in free or ours), None)


def calls_gateway_tool(*gates: asyncio.Event) -> Respond:
    """The script of a model that says something, calls a tool of the gateway, and then says something."""

    def respond(asked: Asked) -> Reply:
        name = gateway_tool(asked)
        if name is None or asked.results:
            return said(asked, LATE, usage=LATE_USAGE)
        reply = called(asked, call(name), text=EARLY)
        return Reply(_gated(reply.pieces, gates), reply.status, reply.headers)

    return respond


def _gated(pieces: Any, gates: tuple[asyncio.Event, ...]) -> list[Piece]:
    """The gates come after the early text, the second chunk."""
    return [*pieces[:2], *gates, *pieces[2:]] if len(pieces) > 2 else list(pieces)


def with_tool(scene: Scenario) -> Scenario:
    """The scenario itself, where the gateway offered a tool of its own."""
    if not scene.asked:
        raise Fault("the upstream was not asked")
    if gateway_tool(scene.asked[0]) is None:
        raise Skip(NO_TOOL)
    return scene


class Hidden(NamedTuple):
    """A turn with a call of the gateway's tool."""

    stream: Transcript
    asked: list[Asked]


async def _hidden(lab: Lab) -> Hidden:
    with lab.scene(calls_gateway_tool()) as scene:
        fields = {"stream_options": {"include_usage": True}}
        stream = await lab.gateway.transcript(lab.stream(scene, **fields))
        return Hidden(judges.accepted(stream), with_tool(scene).asked)


def _no_leak(turn: Hidden) -> str:
    stream = turn.stream
    if stream.call_deltas or "tool_calls" in stream.finishes:
        raise Fault(f"{len(stream.call_deltas)} deltas of its call, finish_reason {stream.finishes}")
    return f"{gateway_tool(turn.asked[0])} was called, no delta of it was seen"


def _one_message(turn: Hidden) -> str:
    for judge in (
        judges.one_id,
        judges.one_model,
        judges.one_time,
        judges.one_role,
        judges.one_finish,
        judges.one_end_mark,
    ):
        try:
            judge(turn.stream)
        except Fault as fault:
            raise Fault(f"{judge.__name__.replace('_', ' ')}: {fault}") from None
    return f"one id, role, finish_reason and [DONE] over {len(turn.asked)} requests"


def _has_result(turn: Hidden) -> str:
    if len(turn.asked) < 2 or not turn.asked[-1].results:
        raise Fault("no tool result was sent to the upstream")
    result = turn.asked[-1].results[-1]
    if result.get("tool_call_id") != call("")["id"]:
        raise Fault(f"the result's tool_call_id is {result.get('tool_call_id')!r}")
    return str(result.get("content"))


def _prefix_kept(turn: Hidden) -> str:
    if len(turn.asked) < 2:
        raise Fault("the upstream was asked once")
    first, last = (asked.json["messages"] for asked in (turn.asked[0], turn.asked[-1]))
    if last[: len(first)] != first:
        raise Fault("the messages of the first request changed in the second")
    return f"messages kept: {len(first)} of {len(first)}"


def _summed(turn: Hidden) -> str:
    expected = {key: value + LATE_USAGE[key] for key, value in USAGE.items()}
    if len(turn.stream.usages) != 1:
        raise Fault(f"{len(turn.stream.usages)} chunks with usage")
    (usage,) = turn.stream.usages
    if {key: usage.get(key) for key in expected} != expected:
        raise Fault(f"{usage.get('total_tokens')} tokens instead of {expected['total_tokens']}")
    return f"{usage['total_tokens']} tokens"


async def _hidden_plain(lab: Lab) -> Whole:
    with lab.scene(calls_gateway_tool()) as scene:
        answer = await lab.gateway.chat(lab.ask(scene))
        with_tool(scene)
        return answer


def _hidden_in_plain(answer: Whole) -> str:
    judges.is_completion(answer)
    message = answer.json["choices"][0]["message"]
    if message.get("tool_calls"):
        raise Fault("its call is in the answer")
    if LATE not in str(message.get("content")):
        raise Fault(f"the text is {message.get('content')!r}")
    return repr(message["content"])


async def _early_text(lab: Lab) -> bool:
    gate = asyncio.Event()
    with lab.scene(calls_gateway_tool(gate)) as scene:
        try:
            async with lab.gateway.stream(lab.stream(scene)) as stream:
                seen = await stream.until(lambda so_far: EARLY in so_far.text)
                gate.set()
                await stream.rest()
        finally:
            gate.set()
        with_tool(scene)
        return seen


def _came_early(seen: bool) -> str:
    if not seen:
        raise Fault("it was held back until the call was known")
    return "it came before the call was written"


# The client's tools


async def _handed_over(lab: Lab) -> Transcript:
    if lab.upstream is None:
        body = lab.body(QUESTION, stream=True, tools=[WEATHER], tool_choice="required")
        stream = judges.accepted(await lab.gateway.transcript(body))
        if not stream.call_deltas:
            raise Skip("the model called no tool")
        return stream
    with lab.scene(lambda asked: called(asked, CALL_WEATHER)) as scene:
        return judges.accepted(await lab.gateway.transcript(lab.stream(scene, tools=[WEATHER])))


async def _handed_over_plain(lab: Lab) -> Whole:
    with lab.scene(lambda asked: called(asked, CALL_WEATHER)) as scene:
        return await lab.gateway.chat(lab.ask(scene, tools=[WEATHER]))


def ends_in_call(stream: Transcript) -> str:
    if stream.finishes != ["tool_calls"]:
        raise Fault(f"finish_reason {', '.join(stream.finishes) or 'missing'}")
    return "finish_reason tool_calls"


def whole_call(seen: SeenCall) -> str:
    """A call that a client can use: an index, one id, one name, arguments that are text."""
    if not isinstance(seen.index, int):
        raise Fault(f"its index is {seen.index}")
    if len(seen.ids) != 1 or len(seen.names) != 1:
        raise Fault(f"{len(seen.ids)} ids and {len(seen.names)} names in one call")
    if seen.odd:
        raise Fault(f"its arguments are no text: {seen.odd}")
    return f"{seen.names[0]}({seen.arguments})"


def _one_whole_call(stream: Transcript) -> str:
    if len(stream.calls) != 1:
        raise Fault(f"{len(stream.calls)} calls instead of one")
    return whole_call(stream.calls[0])


def _as_made(stream: Transcript) -> str:
    (seen,) = stream.calls
    if seen.ids != [CALL_WEATHER["id"]]:
        raise Fault(f"id {', '.join(seen.ids)} instead of {CALL_WEATHER['id']}")
    if seen.arguments != ARGUMENTS:
        raise Fault(f"arguments {seen.arguments} instead of {ARGUMENTS}")
    return f"id {seen.ids[0]}, arguments {seen.arguments}"


def _as_made_in_plain(answer: Whole) -> str:
    judges.is_completion(answer)
    choice = answer.json["choices"][0]
    if choice["finish_reason"] != "tool_calls":
        raise Fault(f"finish_reason {choice['finish_reason']}")
    if choice["message"].get("tool_calls") != [CALL_WEATHER]:
        raise Fault(f"tool_calls {choice['message'].get('tool_calls')}")
    return ARGUMENTS


CLIENT_TOOL_CHECKS: tuple[Check[Transcript], ...] = (
    Check("the client's tool call ends the answer", "WK-118", ends_in_call),
    Check("the client's tool call is whole", "WK-118", _one_whole_call),
)

BLACK_BOX: tuple[AnyExperiment, ...] = (Experiment(_handed_over, CLIENT_TOOL_CHECKS),)

SCRIPTED: tuple[AnyExperiment, ...] = (
    Experiment(
        _handed_over,
        (*CLIENT_TOOL_CHECKS, Check("its id and arguments are as the model made them", "BX-24", _as_made)),
    ),
    single("the client's tool call in a plain chat", "WK-118", _handed_over_plain, _as_made_in_plain),
    Experiment(
        _hidden,
        (
            Check("no sign of a call of the gateway's tool", "BX-01", _no_leak),
            Check("several requests, one message", "BX-01", _one_message),
            Check("the text of all of them", "BX-01", lambda turn: judges.text_is(EARLY + LATE)(turn.stream)),
            Check("usage is the sum over all of them", "BX-06", _summed),
            Check("the model gets the tool's result", "WK-116", _has_result),
            Check("what was asked before stays as it was", "BX-14", _prefix_kept),
        ),
    ),
    single("text before a hidden call comes at once", "BX-01", _early_text, _came_early),
    single("a hidden call in a plain chat", "WK-113", _hidden_plain, _hidden_in_plain),
)
