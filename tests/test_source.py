"""The loopback source hands each parked answer out once, to whoever knows its path."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from werkzeugkoppler import source as source_module
from werkzeugkoppler.source import Outlet, Source

BOUND_SECONDS = 5
"""For anything that could hang."""


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    source = Source()
    await source.open()
    with anyio.fail_after(BOUND_SECONDS):
        yield source
    source.close()


class Peer:
    """mitmproxy's side of a connection to the source."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def ask(self, path: str, *headers: str, body: bytes = b"") -> None:
        head = "\r\n".join([f"POST {path} HTTP/1.1", "host: x", *headers, "", ""])
        self.writer.write(head.encode() + body)

    async def receive(self, expected: bytes) -> bytes:
        """What comes, up to and with `expected`."""
        return await self.reader.readuntil(expected)

    async def receive_all(self) -> bytes:
        """What comes, up to the end of a chunked body."""
        seen = b""
        while not seen.endswith(b"\r\n" + END):
            seen += await self.reader.read(65536)
        return seen

    async def settle(self) -> None:
        """Let the source take what was sent."""
        await self.writer.drain()
        for _ in range(5):
            await anyio.lowlevel.checkpoint()

    async def is_cut_off(self) -> bool:
        """Wait for the end of the connection; true where nothing came before it."""
        try:
            return await self.reader.read() == b""
        except ConnectionResetError:
            return True


@pytest.fixture
async def peer(source: Source) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
    yield Peer(reader, writer)
    writer.close()


async def say_hello(outlet: Outlet) -> None:
    outlet.start(200, (("x-one", "1"),))
    await outlet.write(b"hello")
    outlet.end()


class Waiting:
    """An answer that has begun and does not end."""

    def __init__(self) -> None:
        self.cancelled = anyio.Event()

    async def __call__(self, outlet: Outlet) -> None:
        outlet.start(200, ())
        try:
            await anyio.sleep_forever()
        finally:
            self.cancelled.set()


HELLO = b"HTTP/1.1 200 OK\r\nx-one: 1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
END = b"0\r\n\r\n"


async def test_a_parked_answer_is_streamed_to_who_knows_its_path(source: Source, peer: Peer) -> None:
    peer.ask(source.park(say_hello))
    assert await peer.receive(END) == HELLO


async def test_paths_differ_and_cannot_be_guessed(source: Source) -> None:
    paths = {source.park(say_hello) for _ in range(100)}
    assert len(paths) == 100
    assert all(len(path) > 40 for path in paths)


async def test_a_path_is_good_once(source: Source, peer: Peer) -> None:
    path = source.park(say_hello)
    peer.ask(path)
    await peer.receive(END)
    peer.ask(path)
    assert await peer.is_cut_off()


async def test_an_answer_that_was_forgotten_is_not_given(source: Source, peer: Peer) -> None:
    path = source.park(say_hello)
    source.forget(path)
    source.forget(path)
    peer.ask(path)
    assert await peer.is_cut_off()


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\n\r\n", b"hello\r\n\r\n", b"\x16\x03\x01\r\n\r\n"])
async def test_who_knows_no_path_is_cut_off(peer: Peer, head: bytes) -> None:
    peer.writer.write(head)
    assert await peer.is_cut_off()


async def test_a_head_without_end_is_cut_off(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_HEAD_BYTES", 100)
    peer.writer.write(b"GET /" + b"x" * 200)
    assert await peer.is_cut_off()


async def test_a_head_may_come_in_pieces(source: Source, peer: Peer) -> None:
    path = source.park(say_hello)
    for byte in f"GET {path} HTTP/1.1\r\n\r\n".encode():
        peer.writer.write(bytes([byte]))
        await peer.writer.drain()
    assert await peer.receive(END) == HELLO


async def test_a_connection_is_used_again(source: Source, peer: Peer) -> None:
    for _ in range(3):
        peer.ask(source.park(say_hello), "Content-Length: 4", body=b"body")
        assert await peer.receive(END) == HELLO


async def test_a_body_that_comes_late_is_passed_over(source: Source, peer: Peer) -> None:
    peer.ask(source.park(say_hello), "content-length: 8", body=b"half")
    assert await peer.receive(END) == HELLO
    peer.writer.write(b"half")
    await peer.settle()
    peer.ask(source.park(say_hello))
    assert await peer.receive(END) == HELLO


async def test_a_body_without_a_length_ends_the_connection_after_the_answer(
    source: Source, peer: Peer
) -> None:
    peer.ask(source.park(say_hello), "transfer-encoding: chunked", body=b"4\r\nbody\r\n")
    assert await peer.receive(END) == HELLO
    assert await peer.is_cut_off()


async def test_a_body_without_end_is_not_kept(
    source: Source, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "MAX_HEAD_BYTES", 100)
    go_on = anyio.Event()

    async def wait(outlet: Outlet) -> None:
        outlet.start(200, ())
        await go_on.wait()
        outlet.end()

    peer.ask(source.park(wait))
    await peer.receive(b"\r\n\r\n")
    for _ in range(3):
        peer.writer.write(b"x" * 60)
        await peer.settle()
    go_on.set()
    assert await peer.receive(END) == END
    assert await peer.is_cut_off()


async def test_a_request_that_comes_early_is_answered_next(source: Source, peer: Peer) -> None:
    first, second = source.park(say_hello), source.park(say_hello)
    peer.ask(first)
    peer.ask(second)
    assert await peer.receive(END) == HELLO
    assert await peer.receive(END) == HELLO


async def test_a_whole_response_has_a_length(source: Source, peer: Peer) -> None:
    async def refuse(outlet: Outlet) -> None:
        outlet.reply(429, (("retry-after", "1"),), b"busy")
        assert (outlet.started, outlet.written) == (True, 4)

    peer.ask(source.park(refuse))
    expected = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 4\r\n\r\nbusy"
    assert await peer.receive(b"busy") == expected


async def test_a_status_that_nobody_knows_has_no_reason(source: Source, peer: Peer) -> None:
    async def answer(outlet: Outlet) -> None:
        outlet.reply(529, (), b"x")

    peer.ask(source.park(answer))
    assert (await peer.receive(b"x")).startswith(b"HTTP/1.1 529 \r\n")


async def test_an_answer_is_cancelled_when_the_client_leaves(source: Source, peer: Peer) -> None:
    waiting = Waiting()
    peer.ask(source.park(waiting))
    await peer.receive(b"\r\n\r\n")
    peer.writer.close()
    await waiting.cancelled.wait()


async def test_a_slow_client_holds_the_answer_up(source: Source, peer: Peer) -> None:
    held = anyio.Event()
    outlets: list[Outlet] = []

    async def flood(outlet: Outlet) -> None:
        outlets.append(outlet)
        outlet.start(200, ())
        while outlet.has_room():
            outlet.write_now(b"x" * 65536)
        held.set()
        await outlet.write(b"last")
        outlet.end()

    peer.ask(source.park(flood))
    await held.wait()
    assert not outlets[0].has_room()
    assert (await peer.receive_all()).endswith(b"4\r\nlast\r\n0\r\n\r\n")
    assert outlets[0].has_room()


async def test_an_answer_that_ended_is_taken_as_slowly_as_the_client_likes(
    source: Source, peer: Peer
) -> None:
    async def flood(outlet: Outlet) -> None:
        outlet.start(200, ())
        while outlet.has_room():
            outlet.write_now(b"x" * 65536)
        outlet.end()

    peer.ask(source.park(flood))
    assert (await peer.receive_all()).endswith(b"x\r\n0\r\n\r\n")
    peer.ask(source.park(say_hello))
    assert await peer.receive(END) == HELLO


async def test_a_fault_in_an_answer_is_logged_and_breaks_it_off(
    source: Source, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(outlet: Outlet) -> None:
        raise RuntimeError("a fault")

    peer.ask(source.park(fail))
    assert await peer.is_cut_off()
    assert "A streamed answer failed" in caplog.text


async def test_closing_cancels_what_is_under_way(source: Source, peer: Peer) -> None:
    waiting = Waiting()
    peer.ask(source.park(waiting))
    await peer.receive(b"\r\n\r\n")
    source.close()
    await waiting.cancelled.wait()


def test_a_source_that_was_never_opened_closes() -> None:
    Source().close()


async def test_on_a_loop_that_starts_tasks_at_once_the_next_request_waits_its_turn(
    source: Source, peer: Peer
) -> None:
    waiting = Waiting()
    loop = asyncio.get_running_loop()
    loop.set_task_factory(eager)
    try:
        heads = [f"GET {source.park(answer)} HTTP/1.1\r\n\r\n" for answer in (say_hello, waiting)]
        peer.writer.write("".join(heads).encode())
        assert await peer.receive(END) == HELLO
        await peer.receive(b"\r\n\r\n")
        peer.writer.close()
        await waiting.cancelled.wait()
    finally:
        loop.set_task_factory(None)


def eager(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    """mitmproxy's own manner of starting tasks."""
    return asyncio.eager_task_factory(loop, coro, **options)
