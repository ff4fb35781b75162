"""How many chats run at a time, and when a place becomes free again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.proxy import Proxy
from tests.e2e.wire import chat_head, connected
from tests.fakes.answers import Hang, Json, Sse, says
from tests.fakes.chunks import chunk
from tests.fakes.upstream import Upstream

BODY_LIMIT = 1_000_000


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"max_concurrent_requests": 1, "max_request_bytes": BODY_LIMIT}


@asynccontextmanager
async def held(client: Client, upstream: Upstream) -> AsyncIterator[None]:
    """A chat that has the only place, until leaving lets it answer."""
    gate = anyio.Event()
    upstream.script(Json({"choices": [{"index": 0, "message": {"role": "assistant"}}]}, gate=gate))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.chat)
        await upstream.chat()
        yield
        gate.set()


async def status_once_free(client: Client) -> int:
    """Ask until there is a place; what ends a turn that was left is not seen from outside."""
    while True:
        answer = await client.chat()
        if answer.status != 429:
            return answer.status


async def headers_answered(proxy: Proxy, length: int) -> bytes:
    """What comes back when a client has sent its headers and nothing of the body they announce."""
    async with connected(proxy) as wire:
        await wire.send(chat_head("Content-Type: application/json", f"Content-Length: {length}"))
        return await wire.head()


@pytest.mark.contract("OW-14")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_beyond_the_limit_is_turned_away(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    async with held(client, upstream):
        answer = await client.chat(stream=stream)
        assert (answer.status, answer.error["type"]) == (429, "rate_limit_error")
        assert answer.error["code"] == "max_concurrent_requests"
        assert int(answer.headers["Retry-After"]) > 0
    assert len(upstream.chats) == 1


@pytest.mark.contract("OW-14")
async def test_only_chats_take_a_place(client: Client, upstream: Upstream) -> None:
    async with held(client, upstream):
        assert (await client.get("/v1/models")).status == 200
        assert (await client.get("/healthz")).status == 200


@pytest.mark.contract("OW-15")
async def test_a_chat_beyond_the_limit_is_turned_away_before_its_body_has_come(
    client: Client, proxy: Proxy, upstream: Upstream
) -> None:
    async with held(client, upstream):
        assert (await headers_answered(proxy, 500_000)).startswith(b"HTTP/1.1 429 ")


async def test_a_body_that_is_announced_as_too_long_is_refused_before_it_has_come(
    proxy: Proxy, upstream: Upstream
) -> None:
    assert (await headers_answered(proxy, BODY_LIMIT + 1)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.contract("OW-17")
async def test_a_place_is_free_after_an_answer_and_after_an_error(client: Client, upstream: Upstream) -> None:
    upstream.script(says("one"), Json({"error": {"message": "no"}}, 400), says("two"), says("three"))
    statuses = [(await client.chat()).status for _ in range(2)]
    await client.transcript()
    await client.send("POST", "/v1/chat/completions", b"{")
    assert [*statuses, (await client.chat()).status] == [200, 400, 200]


@pytest.mark.contract("OW-17")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_place_is_free_after_the_client_left(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(Hang())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.chat(stream=stream))
        abandoned = await upstream.chat()
        tasks.cancel_scope.cancel()
    await abandoned.closed.wait()
    upstream.script(says("Hello."))
    assert await status_once_free(client) == 200


@pytest.mark.contract("OW-17")
async def test_a_place_is_free_after_the_client_left_a_stream_that_had_begun(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(Sse([chunk({"role": "assistant", "content": "a"}), anyio.Event()]))
    async with client.streamed() as stream:
        await stream.until("a")
    await upstream.chats[0].closed.wait()
    upstream.script(says("Hello."))
    assert await status_once_free(client) == 200
