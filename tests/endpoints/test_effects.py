"""What a turn does is traced, and a trace stays small."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from werkzeugkoppler.config.detector_section import Detector
from werkzeugkoppler.endpoints.effects import Effects
from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.traces import begin
from werkzeugkoppler.turn.leg import said


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
