"""What a turn does is traced, and a trace stays small."""

from types import SimpleNamespace
from typing import Any

from werkzeugkoppler.endpoints.effects import Effects
from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.traces import begin


async def test_retries_without_end_make_a_trace_of_few_events() -> None:
    trace = begin("turn")
    call: Any = SimpleNamespace(trace=trace)
    approval: Any = None  # nothing is called
    effects = Effects(call, stream=True, approval=approval, repairs=tuple, made={})
    for _ in range(20):
        await effects.wait(1, UpstreamError("away", cause=Cause.CONNECTION), 0)
    await effects.wait(2, UpstreamError("away", cause=Cause.CONNECTION), 0)
    noted = [(event["leg"], event["retry"]) for event in trace.events if event["type"] == "retry"]
    assert noted == [(1, 1), (1, 2), (1, 4), (1, 8), (1, 16), (2, 1)]
