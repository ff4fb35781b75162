"""What a turn does is traced, and a trace stays small."""

import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from mitmproxy.test import taddons, tflow

from werkzeugkoppler.config.detector_section import Detector
from werkzeugkoppler.endpoints.effects import Effects
from werkzeugkoppler.endpoints.leg_trace import LegTrace
from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.labels import Link
from werkzeugkoppler.traces import begin
from werkzeugkoppler.turn.leg import said
from werkzeugkoppler.upstreams.base import ScriptedUpstream
from werkzeugkoppler.wire.http import EVENT_STREAM, HttpRequest, MadeAnswer


def effects_of(call: Any) -> Effects:
    approval: Any = None  # nothing is called
    return Effects(call, stream=True, approval=approval, repairs=tuple, made={})


async def test_retries_without_end_make_a_trace_of_few_events() -> None:
    trace = begin("turn")
    effects = effects_of(SimpleNamespace(trace=trace))
    for _ in range(20):
        await effects.wait(1, UpstreamError("away", cause=Cause.CONNECTION), 0)
    await effects.wait(2, UpstreamError("away", cause=Cause.CONNECTION), 0)
    noted = [(event["leg"], event["retry"]) for event in trace.events if event["type"] == "retry"]
    assert noted == [(1, 1), (1, 2), (1, 4), (1, 8), (1, 16), (2, 1)]


EVENTS = b'data: {"choices": [{"delta": {"content": "Hel"}}]}\n\n'


async def speaking_on() -> AsyncIterator[bytes]:
    yield EVENTS
    await anyio.sleep_forever()


def respond(request: HttpRequest) -> MadeAnswer:
    return MadeAnswer(200, (("content-type", EVENT_STREAM),), speaking_on())


@pytest.mark.contract("BX-05")
@pytest.mark.parametrize("by", ["a cancelled task", "a closed generator"])
async def test_a_leg_that_is_broken_off_is_traced_with_what_came_of_it(by: str) -> None:
    trace = begin("turn")
    stack = SimpleNamespace(upstream=ScriptedUpstream("http://model", respond))
    call: Any = SimpleNamespace(trace=trace, stack=stack, link=Link(tflow.tclient_conn(), "turn"))
    approval: Any = None  # nothing is called
    effects = Effects(call, stream=True, approval=approval, repairs=tuple, made={})

    async def pieces() -> AsyncGenerator[bytes]:
        async with effects.ask(b"{}", 1) as reply:
            async for piece in reply.pieces:
                yield piece

    with taddons.context(), anyio.CancelScope() as scope:
        async with aclosing(pieces()) as coming:
            assert await anext(coming) == EVENTS
            if by == "a cancelled task":
                scope.cancel()
                await anext(coming)
    leg = trace.events[-1]
    assert (leg["type"], leg["leg"], leg["cancelled"], leg["bytes"]) == ("leg", 1, True, len(EVENTS))
    assert leg["first_byte_ms"] >= 0 and leg["first_delta_ms"] >= 0 and leg["duration_ms"] >= 0


async def test_a_leg_that_is_broken_off_before_its_answer_began_has_only_its_time() -> None:
    trace = begin("turn")
    legs = LegTrace(trace)
    legs.ask(1, b"{}")
    legs.broken_off(None)
    leg = trace.events[-1]
    assert leg.keys() == {"type", "at", "leg", "cancelled", "duration_ms"}


@pytest.mark.contract("OW-66")
@pytest.mark.parametrize("times, in_thread", [(10, False), (100_000, True)])
async def test_a_long_answer_is_searched_in_a_thread(times: int, in_thread: bool) -> None:
    trace, readers = begin("turn"), []

    class Noting(str):
        def __getitem__(self, key: Any) -> str:
            readers.append(threading.current_thread())
            return super().__getitem__(key)

    settings = SimpleNamespace(detectors=[Detector(name=name, pattern="no") for name in "abc"])
    effects = effects_of(SimpleNamespace(trace=trace, stack=SimpleNamespace(settings=settings)))
    await effects.note_leg(1, said(Noting("No. " * times)), "m")
    assert [event["detector"] for event in trace.events if event["type"] == "detector_fired"] == list("abc")
    assert [thread is not threading.current_thread() for thread in readers] == [in_thread]
