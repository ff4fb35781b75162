"""A gateway with one fault: the probe names that fault, and no other."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio
import pytest

from tests.doctor.relay import Fault, relaying
from werkzeugkoppler.doctor.finding import Outcome
from werkzeugkoppler.doctor.probe import run, setup
from werkzeugkoppler.doctor.probe.lab import Lab
from werkzeugkoppler.wire.jsontext import dumps
from werkzeugkoppler.wire.sse import DONE, event

PATIENCE_SECONDS = 0.7
"""Longer than the keepalives of the proxy under test, shorter than a person would wait."""
SECONDS = 30

LEAKED = {"index": 0, "id": "x", "function": {"name": "doctor_hello", "arguments": "{}"}}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def own_lab() -> AsyncIterator[Lab]:
    async with setup.own(patience=PATIENCE_SECONDS) as lab:
        yield lab


async def failures(lab: Lab, fault: Fault) -> set[str]:
    """The names of the checks that fail before a gateway with a fault."""
    gateway = lab.gateway
    async with (
        relaying(gateway.base_url, fault) as url,
        setup.laboratory(
            url, key=gateway.key, model=lab.model, upstream=lab.upstream, patience=gateway.patience
        ) as faulty,
    ):
        with anyio.fail_after(SECONDS):
            findings = [finding async for finding in run.probe(faulty, timeout=5)]
    return {finding.name for finding in findings if finding.outcome is Outcome.FAIL}


def value(raw: bytes) -> dict[str, Any]:
    """An event's JSON; empty for a comment and for the end mark."""
    if not raw.startswith(b"data: {"):
        return {}
    return dict(json.loads(raw.removeprefix(b"data: ")))


def choice(raw: bytes) -> dict[str, Any]:
    """The choice of a chunk that has one."""
    return next(iter(value(raw).get("choices") or ({},)))


def delta_with(raw: bytes, **delta: Any) -> bytes:
    """A chunk like another one, with another delta."""
    return event(dumps(value(raw) | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}))


def without_finish(raw: bytes) -> bytes:
    return b"" if choice(raw).get("finish_reason") and not choice(raw)["delta"] else raw


def with_another_role(raw: bytes) -> bytes:
    return raw + delta_with(raw, role="assistant") if choice(raw).get("delta", {}).get("role") else raw


def without_usage(raw: bytes) -> bytes:
    return b"" if value(raw).get("usage") else raw


def with_a_leak(raw: bytes) -> bytes:
    return raw + delta_with(raw, tool_calls=[LEAKED]) if b"==> tool call" in raw else raw


def without_errors(raw: bytes) -> bytes:
    return b"" if "error" in value(raw) else raw


def without_end_mark(raw: bytes) -> bytes:
    return b"" if raw == DONE else raw


def with_another_time(raw: bytes) -> bytes:
    return raw.replace(b'"created":17', b'"created":16') if choice(raw).get("finish_reason") else raw


def without_comments(raw: bytes) -> bytes:
    return b"" if raw.startswith(b":") else raw


def decoded(piece: bytes) -> bytes:
    return piece.decode(errors="replace").encode()


def numbers_anew(body: bytes) -> bytes:
    return re.sub(rb"(\d\.\d)0\b", rb"\1", body)


def without_unknown(body: bytes) -> bytes:
    return body.replace(b'"x_doctor"', b'"y_doctor"')


def in_detail(body: bytes) -> bytes:
    return dumps({"detail": json.loads(body)["error"]["message"]}).encode()


ERRORS_IN_STREAMS = {"an error within a stream is told", "a stream that breaks off is no good end"}
SEVERAL = "several requests, one message"

FAULTS = {
    "nothing": (Fault(), set()),
    "no finish_reason": (
        Fault(event=without_finish),
        {"one finish_reason", SEVERAL, "the client's tool call ends the answer"}
        | {"for the client: stop after a call"},
    ),
    "two roles": (Fault(event=with_another_role), {"one role delta", SEVERAL}),
    "no usage": (
        Fault(event=without_usage),
        {"one usage chunk, when asked for", "usage is the sum over all of them"},
    ),
    "a leaked call": (
        Fault(event=with_a_leak),
        {"no sign of a call of the gateway's tool", "of a mixed message the client gets its own calls"},
    ),
    "swallowed errors": (Fault(event=without_errors), ERRORS_IN_STREAMS),
    "no end mark": (Fault(event=without_end_mark), {"one [DONE]", SEVERAL} | ERRORS_IN_STREAMS),
    "another time": (Fault(event=with_another_time), {"one time on all chunks", SEVERAL}),
    "silence": (
        Fault(event=without_comments),
        {"a sign of life before the answer", "a sign of life within the answer"},
    ),
    "characters torn apart": (Fault(piece=decoded), {"a stream cut within characters"}),
    "numbers written anew": (
        Fault(request=numbers_anew),
        {"numbers of a request stay as they are written"},
    ),
    "fields lost": (
        Fault(request=without_unknown),
        {"unknown fields of a request reach the model server"},
    ),
    "buffered": (
        Fault(is_buffered=True),
        {"a stream comes as it is written", "text before a hidden call comes at once"}
        | {"a sign of life before the answer"},
    ),
    "one at a time": (Fault(is_serial=True), {"a slow stream holds nobody up"}),
    "deaf to leaving": (
        Fault(is_stubborn=True),
        {"leaving a stream ends it at the upstream", "leaving a stream before it begins"}
        | {"leaving a plain chat"},
    ),
    "errors in another form": (
        Fault(refusal=in_detail),
        {"bad JSON is refused", "a chat without messages is refused", "an unknown path is refused"}
        | {"a wrong key is refused", "a refusal in the model server's own words"}
        | {"a refusal of a stream, too", "a 429 says when to try again"}
        | {"an HTML page is put into words", "an HTML page is put into words for a stream"},
    ),
}
"""Faults of gateways that were looked at, and the checks that tell of each."""


@pytest.mark.contract("BX-19")
@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_named_and_no_other(own_lab: Lab, name: str) -> None:
    fault, expected = FAULTS[name]
    assert await failures(own_lab, fault) == expected


async def test_answers_of_another_shape_are_findings_and_end_nothing(own_lab: Lab) -> None:
    odd = Fault(event=lambda raw: raw.replace(b'"choices":[', b'"choices":5,"x":['))
    found = await failures(own_lab, odd)
    assert {"a stream has the text", "one role delta"} <= found
    assert "a plain chat is a completion" not in found


async def test_a_proxy_that_forgets_is_found() -> None:
    memory = {"enabled": False}
    async with setup.own(patience=PATIENCE_SECONDS, tool_memory=memory, stream_keepalive_seconds=0) as lab:
        assert await failures(lab, Fault()) == {
            "and the gateway's are back when it answers",
            "a hidden call is remembered in the next turn",
            "a sign of life before the answer",
            "a sign of life within the answer",
        }


async def test_without_a_scripted_upstream_a_buffered_stream_is_found(own_lab: Lab) -> None:
    lab = replace(own_lab, upstream=None)
    assert await failures(lab, Fault()) == set()
    assert await failures(lab, Fault(is_buffered=True)) == {"a stream comes as it is written"}
