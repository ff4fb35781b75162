"""The scripted upstream does what its tests will believe of it."""

import json
from collections.abc import AsyncIterator

import aiohttp
import anyio
import pytest

from tests.fakes.answers import RESET, Cut, Hang, Json, Raw, Sse, calls, says
from tests.fakes.chunks import DONE, USAGE, Call, chunk, event, text_chunks
from tests.fakes.upstream import CHAT_PATH, MODELS, Upstream


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream.serving() as serving:
        yield serving


@pytest.fixture
async def client(upstream: Upstream) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(upstream.url, timeout=aiohttp.ClientTimeout(5)) as session:
        yield session


async def ask(client: aiohttp.ClientSession, **request: object) -> bytes:
    async with client.post(CHAT_PATH, json=request) as response:
        return await response.read()


async def test_models_are_listed_unless_told_otherwise(
    upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    async with client.get("/v1/models") as response:
        assert await response.json() == MODELS


async def test_a_request_is_recorded_byte_for_byte(upstream: Upstream, client: aiohttp.ClientSession) -> None:
    upstream.script(Json({"ok": 1}, headers=(("x-one", "1"),)))
    body = b'{"b": 1,  "a": 1.0}'
    async with client.post(CHAT_PATH, data=body, headers={"X-Two": "2"}) as response:
        assert (response.status, response.headers["x-one"], await response.json()) == (200, "1", {"ok": 1})
    (recorded,) = upstream.chats
    assert (recorded.method, recorded.body, recorded.header("x-two")) == ("POST", body, "2")


async def test_a_chunked_request_is_read_whole(upstream: Upstream, client: aiohttp.ClientSession) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b'{"a":'
        yield b" 1}"

    upstream.script(Json({}))
    async with client.post(CHAT_PATH, data=parts()) as response:
        assert response.status == 200
    assert upstream.chats[0].json == {"a": 1}


async def test_answers_are_given_in_the_order_of_the_script(
    upstream: Upstream, client: aiohttp.ClientSession
) -> None:
    upstream.script(Json([1]), Raw(503, (), b"busy"))
    assert [await ask(client), await ask(client)] == [b"[1]", b"busy"]
    assert json.loads(await ask(client))["error"]["code"] == "unscripted"
    assert not upstream.unused


async def test_a_stream_waits_at_its_gate(upstream: Upstream, client: aiohttp.ClientSession) -> None:
    gate = anyio.Event()
    upstream.script(Sse([chunk({"content": "a"}), gate, b": raw\n\n"]))
    async with client.post(CHAT_PATH, json={}) as response:
        assert await response.content.readany() == event(chunk({"content": "a"}))
        gate.set()
        assert await response.content.read() == b": raw\n\n" + DONE


async def test_a_reset_breaks_the_stream_off(upstream: Upstream, client: aiohttp.ClientSession) -> None:
    upstream.script(Sse([chunk({"content": "a"}), RESET]))
    with pytest.raises(aiohttp.ClientError):
        await ask(client)


async def test_a_cut_answer_ends_where_it_was_cut(upstream: Upstream, client: aiohttp.ClientSession) -> None:
    upstream.script(Cut(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"))
    with pytest.raises(aiohttp.ClientError):
        await ask(client)


async def test_the_peers_leaving_is_noted(upstream: Upstream, client: aiohttp.ClientSession) -> None:
    upstream.script(Hang())
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, client)
            recorded = await upstream.chat()
            assert not recorded.closed.is_set()
            tasks.cancel_scope.cancel()
        await recorded.closed.wait()


async def test_a_released_hang_ends_the_connection(upstream: Upstream, client: aiohttp.ClientSession) -> None:
    hang = Hang()
    upstream.script(hang)
    hang.released.set()
    with pytest.raises(aiohttp.ClientError):
        await ask(client)


async def test_a_text_comes_as_the_request_asks(upstream: Upstream, client: aiohttp.ClientSession) -> None:
    upstream.script(says("Hel", "lo"), says("Hel", "lo"), says("Hel", "lo"))
    assert json.loads(await ask(client))["choices"][0]["message"]["content"] == "Hello"
    assert (await ask(client, stream=True)).count(b"data:") == 5
    usage = await ask(client, stream=True, stream_options={"include_usage": True})
    assert usage == b"".join(event(piece) for piece in text_chunks("Hel", "lo")) + DONE


async def test_tool_calls_come_as_the_request_asks(upstream: Upstream, client: aiohttp.ClientSession) -> None:
    upstream.script(calls(Call("add", '{"a": 1}')), calls(Call("add", '{"a": 1}')))
    plain = json.loads(await ask(client))
    assert plain["choices"][0]["message"]["tool_calls"] == [Call("add", '{"a": 1}').wire()]
    assert plain["usage"] == USAGE
    streamed = await ask(client, stream=True)
    deltas = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith(b"data: {")]
    functions = [
        delta["choices"][0]["delta"]["tool_calls"][0]["function"]
        for delta in deltas
        if "tool_calls" in delta["choices"][0]["delta"]
    ]
    assert "".join(function["arguments"] for function in functions) == '{"a": 1}'
    assert deltas[-1]["choices"][0]["finish_reason"] == "tool_calls"
