"""A model server is asked over HTTP: what is sent, what comes back, and how it fails."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from tests.fakes.answers import RESET, Answer, Cut, Hang, Json, Raw, Sse
from tests.fakes.chunks import DONE, chunk, event
from tests.fakes.http1 import Connection, Recorded
from tests.fakes.upstream import CHAT_PATH, Upstream
from werkzeugkoppler.errors import Cause, UpstreamError
from werkzeugkoppler.upstreams import openai_http
from werkzeugkoppler.upstreams.base import UpstreamState
from werkzeugkoppler.upstreams.openai_http import OpenAiHttp
from werkzeugkoppler.upstreams.refusal import MAX_ERROR_BYTES
from werkzeugkoppler.wire.http import HttpRequest

BOUND_SECONDS = 5
"""For anything that could hang."""


@pytest.fixture
async def server() -> AsyncIterator[Upstream]:
    with anyio.fail_after(BOUND_SECONDS):
        async with Upstream.serving() as server:
            yield server


@asynccontextmanager
async def opened(base_url: str, **overrides: Any) -> AsyncIterator[OpenAiHttp]:
    settings: dict[str, Any] = {"api_key": "sk-up", "connect_timeout": 3.0, "read_timeout": 3.0}
    upstream = OpenAiHttp(base_url, **settings | overrides)
    await upstream.open()
    try:
        yield upstream
    finally:
        await upstream.close()


@pytest.fixture
async def upstream(server: Upstream) -> AsyncIterator[OpenAiHttp]:
    async with opened(server.url) as upstream:
        yield upstream


def request(upstream: OpenAiHttp, **overrides: Any) -> HttpRequest:
    settings: dict[str, Any] = {
        "method": "POST",
        "url": f"{upstream.base_url}{CHAT_PATH}",
        "headers": (("content-type", "application/json"),),
        "body": b'{"a": 1.0}',
    }
    return HttpRequest(**settings | overrides)


async def ask(upstream: OpenAiHttp, **overrides: Any) -> tuple[int, bytes]:
    """The status and the whole body of an answer."""
    async with upstream.send(request(upstream, **overrides)) as answer:
        return answer.status, b"".join([piece async for piece in answer.pieces])


async def failure(upstream: OpenAiHttp) -> str:
    """How asking fails, in words; it is known of the upstream afterwards."""
    with pytest.raises(UpstreamError) as caught:
        await ask(upstream)
    assert caught.value.status == 502
    assert (upstream.state.ok, upstream.state.error) == (False, caught.value.message)
    return caught.value.message


async def test_a_request_arrives_as_it_was_made_with_the_key(server: Upstream, upstream: OpenAiHttp) -> None:
    server.script(Json({"ok": True}))
    assert await ask(upstream) == (200, b'{"ok": true}')
    (arrived,) = server.chats
    assert (arrived.method, arrived.body) == ("POST", b'{"a": 1.0}')
    assert arrived.header("authorization") == "Bearer sk-up"
    assert arrived.header("accept-encoding") == "identity"
    assert arrived.header("content-type") == "application/json"


async def test_a_request_without_a_body_has_none(server: Upstream, upstream: OpenAiHttp) -> None:
    status, _ = await ask(upstream, method="GET", url=f"{server.url}/v1/models", body=b"")
    assert (status, server.requests[0].body, server.requests[0].header("content-length")) == (200, b"", None)


async def test_without_a_key_none_is_sent(server: Upstream) -> None:
    server.script(Json({}))
    async with opened(server.url, api_key=None) as upstream:
        await ask(upstream)
    assert server.chats[0].header("authorization") is None


async def test_the_key_goes_to_no_other_server(server: Upstream) -> None:
    server.script(Json({}))
    async with opened(f"{server.url}0") as upstream:
        await ask(upstream, url=f"{server.url}{CHAT_PATH}")
    assert server.chats[0].header("authorization") is None


KEY = 'sk-up/"0815'


@pytest.mark.contract("BX-17")
@pytest.mark.parametrize("status", [307, 401, 500])
async def test_an_error_that_echoes_a_key_comes_without_it(server: Upstream, status: int) -> None:
    body = json.dumps({"error": {"message": f"Incorrect API key provided: Bearer {KEY}, not sk-service"}})
    challenge = f'Bearer realm="{KEY}"'
    server.script(
        Raw(status, (("www-authenticate", challenge), ("retry-after", "7")), body.encode() + b"\xff")
    )
    async with opened(server.url, api_key=KEY, secrets=("sk-service",)) as upstream:
        async with upstream.send(request(upstream)) as answer:
            told = b"".join([piece async for piece in answer.pieces])
    assert told == (
        b'{"error": {"message": "Incorrect API key provided: Bearer [removed], not [removed]"}}\xff'
    )
    assert answer.headers[:2] == (("WWW-Authenticate", 'Bearer realm="[removed]"'), ("Retry-After", "7"))


@pytest.mark.contract("BX-17")
async def test_no_half_of_a_key_is_left_where_an_error_is_cut(server: Upstream) -> None:
    body = b"sk-upstream" * (MAX_ERROR_BYTES // 11 + 10)
    server.script(Raw(500, (), body))
    async with opened(server.url, api_key="sk-upstream") as upstream:
        _, told = await ask(upstream)
    assert told and told.replace(b"[removed]", b"") in (b"", b"[removed"[: len(told) % 9])


async def test_an_answer_that_is_no_error_is_not_touched(server: Upstream) -> None:
    server.script(Raw(200, (("x-key", "sk-upstream"),), b"sk-upstream"))
    async with opened(server.url, api_key="sk-upstream") as upstream:
        async with upstream.send(request(upstream)) as answer:
            assert b"".join([piece async for piece in answer.pieces]) == b"sk-upstream"
    assert answer.headers[0][1] == "sk-upstream"


async def test_an_answer_comes_with_its_status_and_headers(server: Upstream, upstream: OpenAiHttp) -> None:
    server.script(Raw(429, (("retry-after", "7"), ("x-a", "1"), ("x-a", "2")), b"busy"))
    async with upstream.send(request(upstream)) as answer:
        assert answer.status == 429
        assert [pair for pair in answer.headers if pair[0] == "x-a"] == [("x-a", "1"), ("x-a", "2")]
    assert upstream.state.ok


async def test_a_redirect_is_not_followed(server: Upstream, upstream: OpenAiHttp) -> None:
    server.script(Raw(307, (("location", "/v1/models"),), b""))
    assert (await ask(upstream))[0] == 307
    assert len(server.requests) == 1


async def test_cookies_are_not_kept(server: Upstream, upstream: OpenAiHttp) -> None:
    server.script(Json({}, headers=(("set-cookie", "a=b"),)), Json({}))
    await ask(upstream)
    await ask(upstream)
    assert server.chats[1].header("cookie") is None


async def test_pieces_come_as_soon_as_they_are_sent(server: Upstream, upstream: OpenAiHttp) -> None:
    gate = anyio.Event()
    server.script(Sse([chunk({"content": "a"}), gate, chunk({"content": "b"})]))
    async with upstream.send(request(upstream)) as answer:
        assert await anext(answer.pieces) == event(chunk({"content": "a"}))
        gate.set()
        rest = b"".join([piece async for piece in answer.pieces])
    assert rest == event(chunk({"content": "b"})) + DONE


class Counting:
    """An answer that notes which connections it is asked for on."""

    def __init__(self) -> None:
        self.connections: set[int] = set()

    async def send(self, connection: Connection, request: Recorded) -> None:
        self.connections.add(id(connection))
        await Sse([chunk({"content": "a"})]).send(connection, request)


async def test_connections_are_used_again(server: Upstream, upstream: OpenAiHttp) -> None:
    counting = Counting()
    server.script(*[counting] * 3)
    for _ in range(3):
        await ask(upstream)
    assert len(counting.connections) == 1


async def test_a_connection_is_used_again_after_the_end_mark(server: Upstream, upstream: OpenAiHttp) -> None:
    counting = Counting()
    server.script(counting, counting)
    for _ in range(2):
        async with upstream.send(request(upstream)) as answer:
            seen = b""
            while not seen.endswith(DONE):
                seen += await anext(answer.pieces)
    assert len(counting.connections) == 1


@pytest.mark.parametrize("end", [RESET, anyio.Event()])
async def test_how_a_connection_ends_after_the_answer_is_nobodys_trouble(
    server: Upstream, upstream: OpenAiHttp, end: Any
) -> None:
    server.script(Sse([DONE, end], done=False))
    async with upstream.send(request(upstream)) as answer:
        assert await anext(answer.pieces) == DONE
    assert upstream.state.ok


async def test_leaving_early_ends_the_request(server: Upstream, upstream: OpenAiHttp) -> None:
    server.script(Sse([chunk({"content": "a"}), anyio.Event()]))
    with pytest.raises(RuntimeError, match="left"):
        async with upstream.send(request(upstream)) as answer:
            await anext(answer.pieces)
            raise RuntimeError("left")
    await server.chats[0].closed.wait()


async def test_cancelling_ends_the_request(server: Upstream, upstream: OpenAiHttp) -> None:
    server.script(Hang())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, upstream)
        arrived = await server.chat()
        tasks.cancel_scope.cancel()
    await arrived.closed.wait()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Cut(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"), "it broke off in the middle of its answer"),
        (Sse([chunk({"content": "a"}), RESET]), "it broke off in the middle of its answer"),
        (Cut(b""), "Connection reset by peer"),
        (Raw(200, (("content-length", "x"),), b""), "Content-Length"),
    ],
    ids=["half a body", "half a stream", "no answer", "no HTTP"],
)
async def test_an_upstream_that_breaks_off_is_told(
    server: Upstream, upstream: OpenAiHttp, answer: Answer, told: str
) -> None:
    server.script(answer)
    message = await failure(upstream)
    assert message.startswith(f"the upstream {server.url} failed: ")
    assert told in message


async def test_an_upstream_that_closes_without_an_answer_is_told() -> None:
    async def close(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
    with anyio.fail_after(BOUND_SECONDS):
        async with listener, anyio.create_task_group() as tasks, opened(url) as upstream:
            tasks.start_soon(listener.serve, close)
            assert (await failure(upstream)).endswith("failed: it closed the connection without an answer")
            tasks.cancel_scope.cancel()


async def test_an_upstream_that_is_not_there_is_told() -> None:
    async with opened("http://127.0.0.1:1") as upstream:
        assert (await failure(upstream)).startswith(
            "the upstream http://127.0.0.1:1 failed: cannot connect: "
        )


async def test_an_address_that_is_none_is_told() -> None:
    async with opened("http://") as upstream:
        assert "InvalidUrl" in await failure(upstream)


@pytest.mark.parametrize(
    ("answer", "cause", "can_retry"),
    [
        (Cut(b""), Cause.CONNECTION, True),
        (Hang(), Cause.CONNECTION, True),
        (Sse([chunk({"content": "a"}), RESET]), Cause.INCOMPLETE, True),
        (Sse([chunk({"content": "a"}), anyio.Event()]), Cause.CONNECTION, False),
    ],
    ids=["no answer", "silence", "half a stream", "silence within the answer"],
)
async def test_why_it_failed_says_whether_to_ask_again(
    server: Upstream, answer: Answer, cause: Cause, can_retry: bool
) -> None:
    server.script(answer)
    async with opened(server.url, read_timeout=0.05) as upstream:
        with anyio.fail_after(BOUND_SECONDS), pytest.raises(UpstreamError) as caught:
            await ask(upstream)
    assert (caught.value.cause, caught.value.can_retry) == (cause, can_retry)


@pytest.mark.parametrize("answer", [Hang(), Sse([chunk({"content": "a"}), anyio.Event()])])
async def test_silence_is_bounded(server: Upstream, answer: Answer) -> None:
    server.script(answer)
    async with opened(server.url, read_timeout=0.05) as upstream:
        assert (await failure(upstream)).endswith("nothing came within upstream_read_timeout_seconds")


async def test_an_upstream_that_answers_again_is_well_again(server: Upstream, upstream: OpenAiHttp) -> None:
    server.script(Cut(b""), Json({}))
    await failure(upstream)
    await ask(upstream)
    assert upstream.state == UpstreamState(ok=True, error=None)


async def test_of_an_upstream_that_was_not_asked_nothing_is_known(upstream: OpenAiHttp) -> None:
    assert upstream.state == UpstreamState(ok=None, error=None)


async def test_an_upstream_that_was_never_opened_closes() -> None:
    await OpenAiHttp("http://x", api_key=None, connect_timeout=1, read_timeout=1).close()


async def test_an_upstream_that_does_not_read_what_it_is_sent_has_failed() -> None:
    async def deaf(stream: SocketStream) -> None:
        async with stream:
            await anyio.sleep_forever()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
    with anyio.fail_after(BOUND_SECONDS):
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, deaf)
            async with opened(url, connect_timeout=0.2, read_timeout=0.1) as upstream:
                with pytest.raises(UpstreamError, match="nothing came within"):
                    await ask(upstream, body=b"x" * 20_000_000)
            tasks.cancel_scope.cancel()


async def test_a_list_is_not_waited_for_as_long_as_an_answer(
    server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_http, "LIST_SECONDS", 0.1)
    server.models = Hang()
    async with opened(server.url, read_timeout=60) as upstream:
        with pytest.raises(UpstreamError, match="nothing came within"):
            await ask(upstream, method="GET", url=f"{upstream.base_url}/v1/models", body=b"")


async def test_a_kept_connection_that_was_closing_is_replaced(server: Upstream, upstream: OpenAiHttp) -> None:
    for _ in range(3):
        server.script(Json(1), Cut(b""), Json(2))
        assert await ask(upstream) == (200, b"1")
        assert await ask(upstream) == (200, b"2")
    assert upstream.state.ok


async def test_a_new_connection_that_ends_without_an_answer_has_failed(
    server: Upstream, upstream: OpenAiHttp
) -> None:
    server.script(Cut(b""), Json(1))
    await failure(upstream)
    assert len(server.chats) == 1
