"""Connections to the upstream that are cut into packets, fall silent, end or are reset, at any place."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.faulted import SETTINGS, Outcome, Turn, assert_whole_or_failed, hit_by, judged, verdict_of
from tests.e2e.proxy import Proxy
from tests.fakes.faults import Drop, Reset, Split, Stall
from tests.fakes.upstream import Upstream
from tests.oracle import Complete, Failed

STEPS = 24
BEHIND_THE_FINISH = b'"finish_reason": "stop"}]}\n\n'
"""Of a stream; what a plain answer has is another text."""
END_OF_HEAD = b"\r\n\r\n"

HARMLESS = hit_by(
    {
        "split at every byte": Split(),
        "split in the head": Split(range(1, 60)),
        "split behind the head": Split([END_OF_HEAD]),
        "split within characters": Split(["Grüß".encode()[:-1], "世".encode()[:-1], "😀".encode()[:-2]]),
    }
)
HARMFUL = hit_by(
    {
        "nothing at all, then the end": Drop(0),
        "nothing at all, then a reset": Reset(0),
        "nothing at all": Stall(0),
        "half a head, then the end": Drop(20),
        "half a head, then a reset": Reset(20),
        "half a head": Stall(20),
        "the end behind the head": Drop(END_OF_HEAD),
        "silence behind the head": Stall(END_OF_HEAD),
        "the end within the text": Drop(b'"content": "Gr'),
        "silence within the text": Stall(b'"content": "Gr'),
        "the end at the finish": Drop(b'"finish_reason": "s'),
    }
)
LATE = [
    turn
    for turn in hit_by(
        {
            "the end behind the finish": Drop(BEHIND_THE_FINISH),
            "silence behind the finish": Stall(BEHIND_THE_FINISH),
            "the end within the end mark": Drop(b"data: [DO"),
            "silence within the end mark": Stall(b"data: [DO"),
            "the end behind the end mark": Drop(b"data: [DONE]\n\n"),
            "silence behind the end mark": Stall(b"data: [DONE]\n\n"),
        }
    )
    if turn.stream
]
ANYWHERE = hit_by(
    {
        f"{kind.__name__} at {step}/{STEPS}": kind(step / STEPS)
        for kind in (Drop, Reset)
        for step in range(STEPS + 1)
    }
)


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return SETTINGS


@pytest.fixture(scope="module")
async def outcomes(shared_proxy: Proxy, shared_upstream: Upstream) -> AsyncIterator[dict[str, Outcome]]:
    async with judged(shared_proxy, shared_upstream, [*HARMLESS, *HARMFUL, *LATE, *ANYWHERE]) as outcomes:
        yield outcomes


@pytest.mark.contract("BX-07")
@pytest.mark.parametrize("turn", HARMLESS, ids=str)
async def test_an_answer_in_any_packets_is_whole(turn: Turn, outcomes: dict[str, Outcome]) -> None:
    assert verdict_of(outcomes, turn) == turn.whole


@pytest.mark.contract("OW-50", "OW-51")
@pytest.mark.parametrize("turn", HARMFUL, ids=str)
async def test_an_answer_that_lacks_a_part_ends_with_an_error(
    turn: Turn, outcomes: dict[str, Outcome]
) -> None:
    verdict = verdict_of(outcomes, turn)
    assert isinstance(verdict, Failed)
    assert verdict.error["code"] == "upstream_error"
    assert_whole_or_failed(turn, verdict)


@pytest.mark.contract("BX-01")
@pytest.mark.parametrize("turn", LATE, ids=str)
async def test_a_stream_is_whole_once_its_finish_has_come(turn: Turn, outcomes: dict[str, Outcome]) -> None:
    verdict = verdict_of(outcomes, turn)
    assert isinstance(verdict, Complete)
    assert_whole_or_failed(turn, verdict)


@pytest.mark.contract("BX-01", "OW-50")
@pytest.mark.parametrize("turn", ANYWHERE, ids=str)
async def test_a_connection_that_breaks_anywhere_leaves_a_whole_answer_or_an_error(
    turn: Turn, outcomes: dict[str, Outcome]
) -> None:
    assert_whole_or_failed(turn, verdict_of(outcomes, turn))
