"""A relay that only passes bytes on: what it lacks is told, what it cannot have is not held against it."""

from collections.abc import AsyncIterator

import pytest

from tests.doctor.relay import Fault, relaying
from werkzeugkoppler.doctor.finding import Finding, Outcome
from werkzeugkoppler.doctor.probe import run, setup
from werkzeugkoppler.doctor.probe.reach import reached
from werkzeugkoppler.doctor.probe.script import says
from werkzeugkoppler.doctor.probe.scripted import MODEL, ScriptedUpstream

PATIENCE_SECONDS = 0.3


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def findings() -> AsyncIterator[list[Finding]]:
    async with (
        ScriptedUpstream.serving(says("Hello.")) as upstream,
        relaying(upstream.url, Fault()) as url,
        setup.laboratory(url, key=None, model=MODEL, upstream=upstream, patience=PATIENCE_SECONDS) as lab,
    ):
        yield [finding async for finding in run.probe(lab, timeout=5)]


def names(findings: list[Finding], outcome: Outcome) -> set[str]:
    return {finding.name for finding in findings if finding.outcome is outcome}


async def test_what_only_a_gateway_that_looks_inside_can_do_fails(findings: list[Finding]) -> None:
    assert names(findings, Outcome.FAIL) == {
        "a sign of life before the answer",
        "a sign of life within the answer",
        "for the client: two calls under one index",
        "for the client: a call without an index",
        "for the client: arguments as an object",
        "for the client: stop after a call",
        "an HTML page is put into words",
        "an HTML page is put into words for a stream",
        "an error within a stream is told",
        "a stream that breaks off is no good end",
        "a model server that does not stream",
    }


async def test_a_gateway_without_tools_is_not_blamed_for_it(findings: list[Finding]) -> None:
    skipped = {finding.seen for finding in findings if finding.outcome is Outcome.SKIP}
    assert skipped == {"the gateway offers no tool", "no --key was given"}
    assert names(findings, Outcome.SKIP) >= {
        "no sign of a call of the gateway's tool",
        "for the gateway: two calls under one index",
        "a wrong key is refused",
    }


async def test_a_gateway_that_asks_somebody_else_is_told_of() -> None:
    async with (
        ScriptedUpstream.serving(says("Hello.")) as ours,
        ScriptedUpstream.serving(says("I am another one.")) as other,
        setup.laboratory(other.url, key=None, model=MODEL, upstream=ours, patience=1) as lab,
    ):
        finding = await reached(lab, 0.2)
    assert finding.outcome is Outcome.FAIL
    assert "did not ask our model server" in finding.seen
