"""HTTP as clients really speak it, beyond what the usual request needs."""

import gzip
import json
from typing import Any

import anyio
import pytest

from tests.e2e.client import CHAT_PATH, Client, question
from tests.e2e.proxy import Proxy
from tests.e2e.wire import chat_head, chat_request, connected
from tests.fakes.answers import Json, Raw, Sse, says
from tests.fakes.chunks import DONE, chunk, completion, event, text_chunks
from tests.fakes.upstream import Upstream

BODY = json.dumps(question()).encode()


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"max_request_bytes": 10_000_000}


async def test_a_connection_is_used_again_after_each_kind_of_answer(proxy: Proxy, upstream: Upstream) -> None:
    upstream.script(says("one"), Json({"error": {"message": "no"}}, 400), says("two"), says("three"))
    async with connected(proxy) as wire:
        for body, status in [(question(), 200), ([], 400), (question(), 400), (question(), 200)]:
            await wire.send(chat_request(body))
            assert (await wire.answer())[0] == status
        await wire.send(chat_request(question(stream=True)))
        assert b"chunked" in await wire.head()


async def test_requests_that_are_sent_ahead_are_answered_in_order(proxy: Proxy, upstream: Upstream) -> None:
    upstream.script(says("one"), says("two"))
    async with connected(proxy) as wire:
        await wire.send(chat_request(question()) * 2)
        bodies = [json.loads((await wire.answer())[1]) for _ in range(2)]
    assert [body["choices"][0]["message"]["content"] for body in bodies] == ["one", "two"]


async def test_a_client_that_asks_before_it_sends_is_told_to_go_on(proxy: Proxy, upstream: Upstream) -> None:
    """As curl does with a long body."""
    upstream.script(says("Hello."))
    async with connected(proxy) as wire:
        await wire.send(chat_head("Expect: 100-continue", f"Content-Length: {len(BODY)}"))
        assert (await wire.head()).startswith(b"HTTP/1.1 100 ")
        await wire.send(BODY)
        assert (await wire.answer())[0] == 200


async def test_a_client_that_asks_before_it_sends_too_much_is_told_so(proxy: Proxy) -> None:
    async with connected(proxy) as wire:
        await wire.send(chat_head("Expect: 100-continue", "Content-Length: 20000000"))
        head = await wire.head()
        if head.startswith(b"HTTP/1.1 100 "):
            head = await wire.head()
        assert head.startswith(b"HTTP/1.1 413 ")


@pytest.mark.contract("OW-15")
async def test_the_body_of_a_refused_request_is_never_taken_for_a_request(
    proxy: Proxy, upstream: Upstream
) -> None:
    """What follows is answered as what it is, or the connection ends."""
    hidden = b"GET /v1/models HTTP/1.1\r\nHost: hidden\r\n\r\n"
    body = hidden * (10_000_001 // len(hidden) + 1)
    async with connected(proxy) as wire:
        await wire.send(chat_head(f"Content-Length: {len(body)}"))
        assert (await wire.answer())[0] == 413
        try:
            await wire.send(body)
            upstream.script(says("Hello."))
            await wire.send(chat_request(question()))
            assert json.loads((await wire.answer())[1])["choices"]
        except (anyio.BrokenResourceError, anyio.IncompleteRead, anyio.EndOfStream):
            upstream.reset()
    assert all(request.path == CHAT_PATH for request in upstream.requests)


async def test_a_client_that_leaves_while_it_sends_is_forgotten(
    client: Client, proxy: Proxy, upstream: Upstream
) -> None:
    async with connected(proxy) as wire:
        await wire.send(chat_head("Content-Length: 1000") + b'{"model"')
    async with connected(proxy) as wire:
        await wire.send(chat_head("Transfer-Encoding: chunked") + b"5\r\n{")
    upstream.script(says("Hello."))
    assert (await client.chat()).status == 200
    assert len(upstream.chats) == 1


@pytest.mark.contract("WK-04")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_body_may_come_in_chunks(proxy: Proxy, upstream: Upstream, stream: bool) -> None:
    upstream.script(says("Hello."))
    body = json.dumps(question(stream=stream)).encode()
    pieces = [body[place : place + 20] for place in range(0, len(body), 20)]
    async with connected(proxy) as wire:
        await wire.send(chat_head("Transfer-Encoding: chunked", "Connection: close"))
        for piece in [*pieces, b""]:
            await wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        received = await wire.rest()
    assert received.startswith(b"HTTP/1.1 200 ") and b"Hello." in received
    assert upstream.chats[0].json["messages"] == question()["messages"]


async def test_a_compressed_request_is_refused_with_the_reason(client: Client, upstream: Upstream) -> None:
    answer = await client.send("POST", CHAT_PATH, gzip.compress(BODY), {"Content-Encoding": "gzip"})
    assert answer.status == 415 and "Content-Encoding" in answer.error["message"]
    assert not upstream.requests


async def test_an_answer_that_the_upstream_compressed_is_readable(client: Client, upstream: Upstream) -> None:
    body = json.dumps(completion("Hello.")).encode()
    headers = (("content-type", "application/json"), ("content-encoding", "gzip"))
    upstream.script(Raw(200, headers, gzip.compress(body)))
    assert (await client.chat()).body == body


@pytest.mark.contract("WK-03")
async def test_a_long_question_and_a_long_answer_pass(client: Client, upstream: Upstream) -> None:
    long = "ä" * 1_000_000
    upstream.script(says(long))
    answer = await client.chat(long)
    assert answer.json["choices"][0]["message"]["content"] == long
    assert upstream.chats[0].json["messages"][0]["content"] == long


@pytest.mark.contract("WK-04")
async def test_a_long_event_passes(client: Client, upstream: Upstream) -> None:
    long = "x" * 3_000_000
    upstream.script(Sse([event(piece) for piece in text_chunks(long, usage=None)]))
    async with client.streamed() as stream:
        received = await stream.response.read()
    assert received == b"".join(map(event, text_chunks(long, usage=None))) + DONE


async def test_a_long_question_is_streamed_too(client: Client, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    assert (await client.transcript("ä" * 1_000_000)).text == "Hello."


@pytest.mark.contract("WK-153")
async def test_many_streams_run_at_a_time(client: Client, upstream: Upstream) -> None:
    gate = anyio.Event()
    upstream.script(*[says("Hel", gate, "lo") for _ in range(30)])
    texts: list[str] = []

    async def ask() -> None:
        texts.append((await client.transcript()).text)

    async with anyio.create_task_group() as tasks:
        for _ in range(30):
            tasks.start_soon(ask)
        await upstream.chat(30)
        gate.set()
    assert texts == ["Hello"] * 30


async def test_a_client_that_reads_nothing_holds_the_upstream_back(
    client: Client, upstream: Upstream
) -> None:
    """Or the proxy's memory would fill with what the client does not take."""
    piece = event(chunk({"content": "x" * 1_000_000}))
    sent: list[int] = []

    class Endless(Sse):
        async def send(self, connection: Any, request: Any) -> None:
            await connection.start(200, (("content-type", "text/event-stream"),))
            for number in range(200):
                await connection.send(piece)
                sent.append(number)

    upstream.script(Endless([]))
    async with client.streamed() as stream:
        assert stream.status == 200
        with anyio.move_on_after(3):
            await upstream.chats[0].closed.wait()
        assert 0 < len(sent) < 100
    await upstream.chats[0].closed.wait()
