"""`upstream_failure_reply: text`: an upstream that is away is told as an answer."""

from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.declared import CALL_HELLO, HELLO, WITH_USAGE
from tests.fakes.answers import RESET, Json, Sse, calls
from tests.fakes.chunks import USAGE, chunk
from tests.fakes.upstream import Upstream

BUSY = Json({"error": {"message": "busy", "type": "x", "code": "busy"}}, 503)
GAVE_UP = "Connection to upstream LLM failed. Retries exhausted."


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {
        "actions": [HELLO],
        "tool_trace": "reasoning",
        "upstream_failure_reply": "text",
        "upstream_connect_retries": 1,
        "upstream_retry_interval_ms": 10,
    }


@pytest.mark.contract("WK-135")
async def test_a_stream_says_that_nobody_answered(client: Client, upstream: Upstream) -> None:
    upstream.script(BUSY, BUSY)
    transcript = await client.transcript()
    assert transcript.joined("reasoning").endswith(f"Retrying \n{GAVE_UP}\n")
    assert (transcript.text, transcript.roles) == (GAVE_UP, ["assistant"])
    assert (transcript.finishes, transcript.done, transcript.errors) == (["stop"], 1, [])
    assert transcript.deltas[-1] == {"content": GAVE_UP}


@pytest.mark.contract("WK-136")
async def test_a_plain_answer_says_that_nobody_answered(client: Client, upstream: Upstream) -> None:
    upstream.script(BUSY, BUSY)
    answer = await client.chat()
    assert answer.status == 200
    assert answer.json["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": GAVE_UP}, "finish_reason": "stop"}
    ]
    assert (answer.json["object"], answer.json["model"]) == ("chat.completion", "fake-model")


@pytest.mark.contract("WK-136")
async def test_a_plain_answer_keeps_the_text_before_it(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(CALL_HELLO, text="Let me see. "), BUSY, BUSY)
    answer = (await client.chat()).json
    assert answer["choices"][0]["message"]["content"] == f"Let me see. {GAVE_UP}"
    assert answer["usage"] == USAGE


@pytest.mark.contract("WK-137")
async def test_a_stream_says_that_the_upstream_broke_off(client: Client, upstream: Upstream) -> None:
    upstream.script(Sse([chunk({"role": "assistant", "content": "Hel"}), RESET]))
    transcript = await client.transcript()
    cause = "Upstream LLM response payload is not completed"
    assert transcript.joined("reasoning") == f"\n==> {cause}. Upstream stream interrupted.\n"
    assert (transcript.text, transcript.finishes, transcript.done) == ("Hel", ["stop"], 1)
    assert transcript.deltas[-1] == {}
    assert (transcript.errors, len(upstream.chats)) == ([], 1)


@pytest.mark.contract("WK-135")
async def test_a_later_leg_that_fails_ends_the_one_message(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(CALL_HELLO, text="Let me see. "), BUSY, BUSY)
    transcript = await client.transcript(**WITH_USAGE)
    assert transcript.text == f"Let me see. {GAVE_UP}"
    assert (transcript.roles, transcript.finishes, transcript.done) == (["assistant"], ["stop"], 1)
    assert transcript.usages == [USAGE]


@pytest.mark.contract("WK-151")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_is_still_an_error(client: Client, upstream: Upstream, stream: bool) -> None:
    upstream.script(Json({"error": {"message": "no", "type": "x", "code": "no"}}, 400))
    answer = await client.chat(stream=stream)
    assert (answer.status, answer.error["message"]) == (400, "no")


@pytest.mark.contract("WK-142")
async def test_an_error_of_the_upstream_in_a_stream_is_still_one(client: Client, upstream: Upstream) -> None:
    error = {"message": "busy", "type": "x", "code": "busy"}
    upstream.script(Sse([chunk({"role": "assistant", "content": "Hel"}), {"error": error}]))
    assert (await client.transcript()).errors == [error]
