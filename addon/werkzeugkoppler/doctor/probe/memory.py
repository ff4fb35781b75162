"""Calls that a client does not see: whether they are there again in its next request (BX-03, BX-04)."""

from typing import Any, NamedTuple

from werkzeugkoppler.doctor.probe import judges
from werkzeugkoppler.doctor.probe.lab import Lab
from werkzeugkoppler.doctor.probe.script import call, called, said
from werkzeugkoppler.doctor.probe.scripted import Asked, Reply, Scenario
from werkzeugkoppler.doctor.probe.tools import (
    CALL_WEATHER,
    WEATHER,
    calls_gateway_tool,
    gateway_tool,
    with_tool,
)
from werkzeugkoppler.doctor.probe.transcript import Transcript
from werkzeugkoppler.doctor.probe.verdict import AnyExperiment, Check, Experiment, Fault, single

ANSWER = {"role": "tool", "tool_call_id": CALL_WEATHER["id"], "content": "12 degrees"}
GATEWAY_CALL_ID = "zY9xW8vU7"


class Mixed(NamedTuple):
    """A message that calls a tool of the gateway and one of the client, and what follows it."""

    stream: Transcript
    last: Asked
    """What the upstream was asked once the client had answered its call."""
    tool: str
    """The gateway's."""


async def _mixed(lab: Lab) -> Mixed:
    def respond(asked: Asked) -> Reply:
        name = gateway_tool(asked)
        if name is None or asked.results:
            return said(asked, "Done.")
        return called(asked, call(name, id=GATEWAY_CALL_ID), CALL_WEATHER)

    with lab.scene(respond) as scene:
        stream = judges.accepted(await lab.gateway.transcript(lab.stream(scene, tools=[WEATHER])))
        tool = gateway_tool(with_tool(scene).asked[0])
        if CALL_WEATHER["function"]["name"] in _names(stream):
            mine = {"role": "assistant", "content": None, "tool_calls": [CALL_WEATHER]}
            await lab.gateway.transcript(_next(lab, scene, mine, ANSWER))
        return Mixed(stream, scene.asked[-1], str(tool))


def _next(lab: Lab, scene: Scenario, *messages: dict[str, Any]) -> dict[str, Any]:
    """The next request of a conversation."""
    body = lab.stream(scene, tools=[WEATHER])
    return body | {"messages": [*body["messages"], *messages]}


def _only_the_clients(mixed: Mixed) -> str:
    names = _names(mixed.stream)
    if names != [CALL_WEATHER["function"]["name"]]:
        raise Fault(f"the client gets {', '.join(names) or 'no call'}")
    return names[0]


def _names(stream: Transcript) -> list[str]:
    return [name for seen in stream.calls for name in seen.names]


def _both_back(mixed: Mixed) -> str:
    called_names = _called(mixed.last.json["messages"])
    results = {result.get("tool_call_id") for result in mixed.last.results}
    missing = {GATEWAY_CALL_ID, CALL_WEATHER["id"]} - results
    if mixed.tool not in called_names or missing:
        raise Fault(f"calls of {', '.join(called_names) or 'nothing'}, {len(results)} results")
    return f"{', '.join(called_names)}, with their results"


def _called(messages: list[dict[str, Any]]) -> list[str]:
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    return [str(call["function"]["name"]) for call in calls]


async def _remembered(lab: Lab) -> list[Asked]:
    """A turn with a hidden call, and the next turn of its conversation."""
    with lab.scene(calls_gateway_tool()) as scene:
        body = lab.stream(scene)
        stream = judges.accepted(await lab.gateway.transcript(body))
        with_tool(scene)
        turns = [{"role": "assistant", "content": stream.text}, {"role": "user", "content": "And now?"}]
        await lab.gateway.transcript(body | {"messages": [*body["messages"], *turns]})
        return scene.asked


def _put_back(asked: list[Asked]) -> str:
    if len(asked) < 3 or not asked[1].results:
        raise Fault(f"the upstream was asked {len(asked)} times, instead of 3")
    before, now = asked[1].json["messages"], asked[2].json["messages"]
    if now[: len(before)] != before:
        raise Fault("the model is not told of its call again")
    return f"the same {len(before)} messages, its call and the result among them"


SCRIPTED: tuple[AnyExperiment, ...] = (
    Experiment(
        _mixed,
        (
            Check("of a mixed message the client gets its own calls", "WK-119", _only_the_clients),
            Check("and the gateway's are back when it answers", "BX-03", _both_back),
        ),
    ),
    single("a hidden call is remembered in the next turn", "BX-04", _remembered, _put_back),
)
