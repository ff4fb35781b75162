"""A turn that comes to no good end after its first leg."""

from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.fakes.answers import RESET, Json, Sse, calls
from tests.fakes.chunks import chunk
from tests.fakes.upstream import Upstream


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"actions": [HELLO], "max_tool_loops": 3}


@pytest.mark.contract("WK-114")
async def test_a_model_that_never_stops_calling_is_stopped(client: Client, upstream: Upstream) -> None:
    upstream.script(*[calls(CALL_HELLO)] * 4)
    answer = await client.chat()
    assert answer.status == 500 and "Maximum tool loop iterations" in answer.error["message"]
    assert len(upstream.chats) == 4


@pytest.mark.contract("WK-114", "OW-50")
async def test_a_stream_that_never_stops_calling_is_stopped(client: Client, upstream: Upstream) -> None:
    upstream.script(*[calls(CALL_HELLO, text=".")] * 4)
    transcript = await client.transcript()
    (error,) = transcript.errors
    assert "Maximum tool loop iterations" in error["message"]
    assert (transcript.text, transcript.finishes, transcript.done) == ("....", [], 1)


@pytest.mark.contract("OW-50", "WK-142")
@pytest.mark.parametrize(
    "failure",
    [
        Json({"error": {"message": "busy", "type": "x", "code": "busy"}}, 503),
        Sse([chunk({"content": " And"}), RESET]),
        Sse([{"error": {"message": "busy", "type": "x", "code": "busy"}}]),
    ],
)
async def test_a_later_leg_that_fails_ends_the_stream_with_an_error(
    client: Client, upstream: Upstream, failure: Any
) -> None:
    upstream.script(calls(CALL_HELLO, text="Let me see."), failure)
    transcript = await client.transcript()
    assert transcript.text.startswith("Let me see.")
    assert (len(transcript.errors), transcript.finishes, transcript.done) == (1, [], 1)


async def test_a_later_leg_that_fails_fails_a_plain_answer(client: Client, upstream: Upstream) -> None:
    body = b'{"error": {"message": "busy", "type": "x", "code": "busy"}}'
    upstream.script(calls(CALL_HELLO), Json(body, 503))
    answer = await client.chat()
    assert (answer.status, answer.body) == (503, body)
