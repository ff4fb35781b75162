"""`stream_answer_mode: safe_preview`, and deltas that are lists of parts."""

from typing import Any

import anyio
import pytest

from tests.e2e.client import Client, Transcript
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.fakes.answers import Json, Sse, calls, says
from tests.fakes.chunks import chunk, completion, text_chunks
from tests.fakes.upstream import Upstream

MARKER = "\n\n---\n\n\n==> Preparation done. Preview of final assistant.content:\n\n"


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"actions": [HELLO], "stream_answer_mode": "safe_preview", "tool_trace": "off"}


def assert_one_message(transcript: Transcript) -> None:
    assert all(len(transcript.heads(key)) == 1 for key in ("id", "created", "model", "object"))
    assert (transcript.roles, transcript.finishes, transcript.done) == (["assistant"], ["stop"], 1)


@pytest.mark.contract("WK-126")
async def test_text_is_shown_as_reasoning_until_the_leg_has_ended(client: Client, upstream: Upstream) -> None:
    gate = anyio.Event()
    upstream.script(says("Hel", gate, "lo."))
    async with client.streamed() as stream:
        preview = ""
        while preview != f"{MARKER}Hel":
            delta = (await stream.chunk())["choices"][0]["delta"]
            assert not delta.get("content")
            preview += delta.get("reasoning_content", "")
        gate.set()
        rest = await stream.rest()
    assert (rest.joined("reasoning_content"), rest.text) == ("lo.", "Hello.")
    assert (rest.finishes, rest.done) == (["stop"], 1)


@pytest.mark.contract("WK-126", "BX-01")
async def test_the_text_of_a_leg_that_calls_a_tool_stays_a_preview(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(calls(CALL_HELLO, text="Let me see."), says("Done."))
    transcript = await client.transcript()
    assert transcript.joined("reasoning_content") == f"{MARKER}Let me see.{MARKER}Done."
    assert transcript.text == "Done."
    assert_one_message(transcript)


@pytest.mark.contract("WK-126")
@pytest.mark.parametrize(
    "answer",
    [
        Sse(text_chunks("Done.", usage=None)[:-1]),
        Sse([chunk({"role": "assistant", "content": "Done."}, finish="stop")]),
        Json(completion("Done.")),
    ],
    ids=["no finish", "text and finish in one", "not streamed"],
)
async def test_the_answer_comes_before_its_finish(client: Client, upstream: Upstream, answer: Any) -> None:
    upstream.script(answer)
    transcript = await client.transcript()
    assert transcript.text == "Done."
    assert transcript.joined("reasoning_content") == f"{MARKER}Done."
    assert_one_message(transcript)
    reasons = [choice["finish_reason"] for c in transcript.chunks for choice in c["choices"]]
    assert reasons[-1] == "stop"


@pytest.mark.contract("WK-126")
async def test_an_answer_that_breaks_off_stays_a_preview(client: Client, upstream: Upstream) -> None:
    upstream.script(Sse([chunk({"role": "assistant", "content": "Hel"})], done=False))
    transcript = await client.transcript()
    assert (transcript.joined("reasoning_content"), transcript.text) == (f"{MARKER}Hel", "")
    assert (len(transcript.errors), transcript.done) == (1, 1)
