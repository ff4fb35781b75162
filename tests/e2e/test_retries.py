"""An upstream that is away is asked again, and a streaming client sees it."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from tests.e2e.client import Client, Transcript
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.e2e.launch import SERVICE_KEY, Command
from tests.e2e.proxy import Proxy, running
from tests.e2e.trace_files import of, trace
from tests.fakes.answers import RESET, Answer, Cut, Hang, Json, Sse, calls, says
from tests.fakes.chunks import chunk
from tests.fakes.upstream import Upstream

BUSY_BODY = b'{"error": {"message": "busy", "type": "x",  "code": "busy"}}'
BUSY = Json(BUSY_BODY, 503)
NO_MODEL = Json({"error": {"message": "no such model", "type": "x", "code": "y"}}, 404)
EMPTY = Sse([], done=False)
HALF = Cut(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{")
CONNECTION = "Connection to upstream LLM failed. Retrying "
MODEL = "Upstream LLM model not found. Retrying "
PAYLOAD = "Upstream LLM response payload is not completed. Retrying "


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {
        "actions": [HELLO],
        "tool_trace": "off",
        "upstream_connect_retries": 2,
        "upstream_retry_interval_ms": 10,
        "upstream_read_timeout_seconds": 1.5,
    }


def assert_one_message(transcript: Transcript) -> None:
    assert all(len(transcript.heads(key)) == 1 for key in ("id", "created", "model", "object"))
    assert (transcript.roles, transcript.finishes, transcript.done) == (["assistant"], ["stop"], 1)


@pytest.mark.contract("WK-133", "BX-01")
async def test_a_streaming_client_sees_that_it_is_tried_again(client: Client, upstream: Upstream) -> None:
    upstream.script(BUSY, BUSY, says("Hello."))
    transcript = await client.transcript()
    assert transcript.joined("reasoning_content") == f"{CONNECTION}.\n"
    assert transcript.text == "Hello."
    assert_one_message(transcript)


@pytest.mark.contract("WK-134")
async def test_the_notices_name_each_cause(client: Client, upstream: Upstream) -> None:
    upstream.script(NO_MODEL, EMPTY, says("Hello."))
    transcript = await client.transcript()
    assert transcript.joined("reasoning_content") == f"{MODEL}\n{PAYLOAD}\n"
    assert_one_message(transcript)


@pytest.mark.contract("WK-145", "WK-147")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "failure",
    [Cut(b""), NO_MODEL, Json({}, 429), Json({}, 500), BUSY, HALF, Hang()],
    ids=["reset", "404", "429", "500", "503", "half a body", "silence"],
)
async def test_an_upstream_that_is_away_is_asked_again(
    client: Client, upstream: Upstream, failure: Answer, stream: bool
) -> None:
    upstream.script(failure, says("Hello."))
    text = (await client.transcript()).text if stream else content(await client.chat())
    assert (text, len(upstream.chats)) == ("Hello.", 2)
    assert upstream.chats[0].body == upstream.chats[1].body


def content(answer: Any) -> Any:
    assert answer.status == 200, answer.body
    return answer.json["choices"][0]["message"]["content"]


@pytest.mark.contract("WK-147")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [301, 400, 401, 403, 422])
async def test_a_refusal_is_not_asked_again(
    client: Client, upstream: Upstream, status: int, stream: bool
) -> None:
    upstream.script(Json({"error": {"message": "no", "type": "x", "code": "no"}}, status))
    answer = await client.chat(stream=stream)
    assert answer.status == (502 if status == 301 else status)
    assert len(upstream.chats) == 1


@pytest.mark.contract("WK-145", "WK-136", "WK-151")
async def test_a_plain_answer_has_the_last_failure(client: Client, upstream: Upstream) -> None:
    upstream.script(HALF, NO_MODEL, BUSY)
    answer = await client.chat()
    assert (answer.status, answer.body) == (503, BUSY_BODY)
    assert len(upstream.chats) == 3


@pytest.mark.contract("WK-135", "WK-145", "OW-50")
async def test_a_stream_ends_with_the_last_failure(client: Client, upstream: Upstream) -> None:
    upstream.script(BUSY, BUSY, BUSY)
    transcript = await client.transcript()
    assert transcript.joined("reasoning_content") == f"{CONNECTION}.\n"
    assert transcript.errors == [json.loads(BUSY_BODY)["error"]]
    assert (transcript.text, transcript.finishes, transcript.done) == ("", [], 1)
    assert len(upstream.chats) == 3


@pytest.mark.contract("WK-148", "WK-137")
async def test_an_answer_that_was_seen_in_part_is_not_asked_for_again(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(Sse([chunk({"role": "assistant", "content": "Hel"}), RESET]))
    transcript = await client.transcript()
    assert (transcript.text, len(transcript.errors), transcript.done) == ("Hel", 1, 1)
    assert (transcript.finishes, len(upstream.chats)) == ([], 1)


@pytest.mark.contract("WK-147")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_falls_silent_is_not_asked_for_again(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(Sse([b": thinking\n\n", anyio.Event()]))
    answer = await client.chat(stream=stream)
    assert b"upstream_read_timeout_seconds" in answer.body
    assert len(upstream.chats) == 1


@pytest.mark.contract("WK-145", "BX-01")
async def test_a_later_leg_is_asked_again_with_the_same_results(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(CALL_HELLO, text="Let me see. "), BUSY, says("Done."))
    transcript = await client.transcript()
    assert transcript.text == "Let me see. Done."
    assert transcript.joined("reasoning_content") == f"{CONNECTION}\n"
    assert_one_message(transcript)
    assert upstream.chats[1].body == upstream.chats[2].body


@pytest.mark.contract("WK-146")
async def test_an_upstream_is_given_the_time_that_it_asks_for(client: Client, upstream: Upstream) -> None:
    upstream.script(Json({}, 429, (("retry-after", "1"),)), says("Hello."))
    began = anyio.current_time()
    assert content(await client.chat()) == "Hello."
    assert anyio.current_time() - began >= 1


@pytest.mark.contract("WK-145")
async def test_what_the_upstream_says_is_in_no_trace(
    client: Client, proxy: Proxy, upstream: Upstream
) -> None:
    upstream.script(Json({"error": {"message": "cannot answer: my secret question"}}, 503), says("Hello."))
    answer = await client.chat()
    events = await trace(proxy, answer.headers["X-Werkzeugkoppler-Trace-Id"])
    assert [event["error"] for event in of("retry", events)] == ["the upstream answered 503"]
    assert "secret question" not in proxy.traces


async def test_an_endless_retry_ends_when_the_client_leaves(upstream: Upstream, tmp_path: Path) -> None:
    settings = {"upstream_connect_retries": -1, "upstream_retry_interval_ms": 1}
    upstream.script(*[BUSY] * 9, Hang())
    async with (
        running(tmp_path, upstream.url, settings) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
    ):
        async with Client(session, SERVICE_KEY).streamed() as stream:
            last = await upstream.chat(10)
            assert CONNECTION in str(await stream.chunk())
        await last.closed.wait()
    assert len(upstream.chats) == 10


@pytest.mark.contract("WK-153", "WK-146")
async def test_a_chat_that_waits_for_its_upstream_delays_nobody(upstream: Upstream, tmp_path: Path) -> None:
    """The waiting one is longer than the test may take, so that it waits all the time."""
    settings = {"upstream_connect_retries": -1, "upstream_retry_interval_ms": 600_000}
    upstream.script(BUSY, says("Hello."))
    async with (
        running(tmp_path, upstream.url, settings) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
    ):
        client = Client(session, SERVICE_KEY)
        async with client.streamed() as stream:
            assert CONNECTION in str(await stream.chunk())
            assert content(await client.chat()) == "Hello."
        while '"cancelled": true' not in proxy.traces:  # noqa: ASYNC110 - another process writes it
            await anyio.sleep(0.05)
    assert len(upstream.chats) == 2


@pytest.mark.contract("BX-09")
async def test_each_attempt_is_a_flow_of_its_own(upstream: Upstream, tmp_path: Path) -> None:
    settings = {"upstream_connect_retries": 2, "upstream_retry_interval_ms": 1}
    command = Command(arguments=["-w", "flows.mitm"])
    upstream.script(BUSY, NO_MODEL, says("Hello."))
    async with (
        running(tmp_path, upstream.url, settings, command) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
    ):
        assert content(await Client(session, SERVICE_KEY).chat()) == "Hello."
    with (tmp_path / "flows.mitm").open("rb") as file:
        flows = [flow for flow in FlowReader(file).stream() if isinstance(flow, HTTPFlow)]
    legs = [flow for flow in flows if flow.metadata["werkzeugkoppler"]["kind"] == "leg"]
    assert [flow.response.status_code for flow in legs if flow.response] == [503, 404, 200]
    assert len({flow.metadata["werkzeugkoppler"]["turn"] for flow in legs}) == 1
