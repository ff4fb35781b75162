"""However many legs a turn has, its client sees one message from one server."""

from typing import Any

import anyio
import pytest

from tests.e2e.client import Client, Transcript
from tests.e2e.declared import CALL_HELLO, HELLO, WITH_USAGE
from tests.fakes.answers import Json, Sse, calls, says
from tests.fakes.chunks import Call, calls_chunks, chunk, text_chunks
from tests.fakes.lifelines import Lifelines
from tests.fakes.upstream import Upstream


@pytest.fixture(scope="module")
def settings(lifelines: Lifelines) -> dict[str, Any]:
    return {"actions": [HELLO, lifelines.action("hold")], "stream_keepalive_seconds": 0.2}


def usage(prompt: int, completion: int, **details: int) -> dict[str, Any]:
    """A usage object with details of the prompt and the completion."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": details.get("cached", 0)},
        "completion_tokens_details": {"reasoning_tokens": details.get("reasoning", 0)},
    }


def assert_one_message(transcript: Transcript) -> None:
    """No sign of there having been several legs."""
    assert all(len(transcript.heads(key)) == 1 for key in ("id", "created", "model", "object"))
    assert transcript.roles == ["assistant"]
    assert (len(transcript.finishes), transcript.done) == (1, 1)
    usage_chunks = [chunk for chunk in transcript.chunks if chunk.get("usage") and not chunk["choices"]]
    assert len(usage_chunks) <= 1
    assert not transcript.errors


@pytest.mark.contract("BX-01", "WK-113", "WK-124", "WK-139")
async def test_several_legs_are_one_message(client: Client, upstream: Upstream) -> None:
    upstream.script(
        calls(CALL_HELLO, text="Let me see. ", id="chatcmpl-a", created=1, model="m-1"),
        calls(CALL_HELLO, text="Once more. ", id="chatcmpl-b", created=2, model="m-2"),
        says("Done.", id="chatcmpl-c", created=3, model="m-3"),
    )
    transcript = await client.transcript(**WITH_USAGE)
    assert_one_message(transcript)
    assert (transcript.text, transcript.finishes) == ("Let me see. Once more. Done.", ["stop"])
    first = transcript.chunks[0]
    assert (first["id"], first["created"], first["model"]) == ("chatcmpl-a", 1, "m-1")


@pytest.mark.contract("BX-01")
async def test_no_delta_of_a_call_of_ours_is_seen(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(CALL_HELLO, Call("actions__hello", id="x2")), says("Done."))
    async with client.streamed() as stream:
        received = await stream.response.read()
    assert b'"tool_calls"' not in received
    assert b"aB3dE5gH7" not in received


@pytest.mark.contract("BX-01", "WK-125")
async def test_the_text_of_an_early_leg_comes_token_by_token(client: Client, upstream: Upstream) -> None:
    gates = [anyio.Event(), anyio.Event()]
    opening: list[Any] = [
        chunk({"role": "assistant", "content": "Let "}),
        gates[0],
        chunk({"content": "me. "}),
        gates[1],
    ]
    upstream.script(Sse([*opening, *calls_chunks(CALL_HELLO)[1:]]), says("Done."))
    async with client.streamed() as stream:
        await stream.until("Let ")
        gates[0].set()
        await stream.until("me. ")
        gates[1].set()
        assert (await stream.rest()).text == "Done."


@pytest.mark.contract("BX-01", "BX-06", "WK-140")
@pytest.mark.parametrize("asked", [True, False])
async def test_streamed_usage_is_the_sum_of_the_legs(client: Client, upstream: Upstream, asked: bool) -> None:
    upstream.script(
        calls(CALL_HELLO, usage=usage(10, 2, cached=4, reasoning=1)),
        says("Done.", usage=usage(20, 3, cached=10)),
    )
    transcript = await client.transcript(**(WITH_USAGE if asked else {}))
    assert transcript.usages == ([usage(30, 5, cached=14, reasoning=1)] if asked else [])
    if asked:
        assert transcript.chunks[-1]["choices"] == []


@pytest.mark.contract("BX-06", "WK-141", "OW-53", "WK-113")
async def test_a_plain_answer_sums_usage_and_keeps_the_first_identity(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(
        calls(CALL_HELLO, usage=usage(10, 2, reasoning=1), id="chatcmpl-a", created=1, model="m-1"),
        says("Done.", usage=usage(20, 3, cached=5), id="chatcmpl-b", created=2, model="m-2"),
    )
    answer = (await client.chat()).json
    assert answer["usage"] == usage(30, 5, cached=5, reasoning=1)
    assert (answer["id"], answer["created"], answer["model"]) == ("chatcmpl-a", 1, "m-1")
    (choice,) = answer["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Done.", "stop")
    assert "tool_calls" not in choice["message"]


@pytest.mark.contract("BX-01", "WK-138")
async def test_a_later_leg_that_does_not_stream_is_part_of_the_stream(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(
        calls(CALL_HELLO, text="Let me see. "),
        Json(
            {
                **chunk({}),
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": "Done."},
                        "finish_reason": "stop",
                    }
                ],
            }
        ),
    )
    transcript = await client.transcript()
    assert_one_message(transcript)
    assert transcript.text == "Let me see. Done."


@pytest.mark.contract("WK-127")
async def test_comments_come_while_a_tool_runs(
    client: Client, upstream: Upstream, lifelines: Lifelines
) -> None:
    upstream.script(calls(Call("actions__hold"), text="Wait."), says("Done."))
    async with client.streamed() as stream:
        await stream.until("Wait.")
        await stream.chunk()  # about the call
        assert [await stream.event() for _ in range(2)] == [b": keepalive"] * 2
        await lifelines.let_go()
        assert (await stream.rest()).text == "Done."


@pytest.mark.contract("BX-01")
async def test_a_stream_without_usage_or_finish_still_ends_properly(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(calls(CALL_HELLO, usage=None), Sse(text_chunks("Done.", usage=None)[:-1]))
    transcript = await client.transcript(**WITH_USAGE)
    assert_one_message(transcript)
    assert transcript.finishes == ["stop"]


@pytest.mark.contract("BX-01", "BX-06", "WK-140")
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("place", ["finish", "every chunk", "finish and own"])
async def test_usage_that_comes_elsewhere_is_summed(
    client: Client, upstream: Upstream, asked: bool, place: str
) -> None:
    """Some servers put it on the chunk with the finish, some on every chunk, growing."""

    def leg(pieces: list[Any]) -> Sse:
        *early, last, own = pieces
        last = last | {"usage": own["usage"]}
        if place == "every chunk":
            early = [piece | {"usage": usage(10, number)} for number, piece in enumerate(early)]
        return Sse([*early, last, own] if place == "finish and own" else [*early, last])

    first = calls_chunks(CALL_HELLO, usage=usage(10, 2))
    upstream.script(leg(first), leg(text_chunks("Done.", usage=usage(20, 3))))
    transcript = await client.transcript(**(WITH_USAGE if asked else {}))
    assert_one_message(transcript)
    assert transcript.usages[-1:] == ([usage(30, 5)] if asked else [])


@pytest.mark.contract("OW-25")
async def test_a_stream_that_the_model_server_gave_no_id_has_its_traces(
    client: Client, upstream: Upstream
) -> None:
    choice = {"index": 0, "delta": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}
    upstream.script(Sse([{"object": "chat.completion.chunk", "choices": [choice]}]))
    async with client.streamed() as stream:
        transcript = await stream.rest()
    assert transcript.heads("id") == {f"chatcmpl-{stream.headers['X-Werkzeugkoppler-Trace-Id']}"}
