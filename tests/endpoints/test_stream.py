"""A turn's bytes are written as a stream that ends properly, whatever happens."""

import asyncio
import json
from collections.abc import AsyncGenerator

import anyio
import pytest

from tests.endpoints.outlet import KeptOutlet
from werkzeugkoppler.endpoints.stream import HEADERS, write_stream
from werkzeugkoppler.errors import ApiError, UpstreamError
from werkzeugkoppler.traces import begin
from werkzeugkoppler.wire.sse import DONE, KEEPALIVE

OURS = (("x-trace", "t1"),)


async def turn(*items: bytes | Exception) -> AsyncGenerator[bytes]:
    """A turn of these items; an exception among them is raised."""
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


async def written(turn: AsyncGenerator[bytes], keepalive_seconds: float = 0) -> KeptOutlet:
    outlet = KeptOutlet()
    with anyio.fail_after(5):
        await write_stream(outlet, turn, keepalive_seconds=keepalive_seconds, headers=OURS, trace=begin("t1"))
    return outlet


async def test_a_turn_is_written_with_the_headers_of_a_stream() -> None:
    outlet = await written(turn(b"", b"one", b"", b"two"))
    assert (outlet.status, outlet.headers) == (200, (*HEADERS, *OURS))
    assert (outlet.body, outlet.ended) == (b"onetwo", True)


def test_the_headers_keep_proxies_from_holding_a_stream_back() -> None:
    assert dict(HEADERS) == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "connection": "keep-alive",
        "x-accel-buffering": "no",
    }


async def test_an_error_before_the_first_item_is_a_response_of_its_own() -> None:
    outlet = await written(turn(UpstreamError("busy", status=429, headers=(("retry-after", "7"),))))
    assert outlet.status == 429
    assert outlet.headers == (("content-type", "application/json"), ("retry-after", "7"), *OURS)
    assert json.loads(outlet.body)["error"]["message"] == "busy"
    assert outlet.ended


async def test_an_error_after_it_is_an_event_and_the_end_mark() -> None:
    error = ApiError(500, "nö", code="oops")
    outlet = await written(turn(b"", b"data: one\n\n", error))
    told = outlet.body.removeprefix(b"data: one\n\ndata: ").removesuffix(b"\n\n" + DONE)
    assert json.loads(told) == {"error": error.error()}
    assert (outlet.status, outlet.ended) == (200, True)


@pytest.mark.parametrize("items", [(), (b"", b"data: one\n\n")])
async def test_a_fault_is_logged_and_told_without_details(
    items: tuple[bytes, ...], caplog: pytest.LogCaptureFixture
) -> None:
    outlet = await written(turn(*items, RuntimeError("a secret")))
    assert b"internal_error" in outlet.body
    assert b"a secret" not in outlet.body
    assert "A streamed turn failed" in caplog.text
    assert outlet.ended
    assert outlet.status == (200 if items else 500)


async def test_a_silent_turn_is_kept_alive() -> None:
    outlet = KeptOutlet()

    async def silent() -> AsyncGenerator[bytes]:
        await outlet.wait_for(KEEPALIVE, times=2)
        yield b"data: one\n\n"
        await outlet.wait_for(KEEPALIVE, times=3)

    with anyio.fail_after(5):
        await write_stream(outlet, silent(), keepalive_seconds=0.01, headers=OURS, trace=begin("t1"))
    assert outlet.headers == (*HEADERS, *OURS)
    assert outlet.body.replace(KEEPALIVE, b"") == b"data: one\n\n"


async def test_an_error_after_a_keepalive_is_an_event() -> None:
    outlet = KeptOutlet()

    async def silent_then_refused() -> AsyncGenerator[bytes]:
        await outlet.wait_for(KEEPALIVE)
        raise UpstreamError("busy", status=429)
        yield b""

    with anyio.fail_after(5):
        await write_stream(
            outlet, silent_then_refused(), keepalive_seconds=0.01, headers=(), trace=begin("t1")
        )
    assert outlet.status == 200
    assert outlet.body.endswith(b"\n\n" + DONE)
    assert b'"busy"' in outlet.body


async def test_a_client_that_is_behind_gets_no_keepalive() -> None:
    outlet = KeptOutlet()
    outlet.room = False

    async def wait_for_head() -> AsyncGenerator[bytes]:
        await outlet.began.wait()
        yield b"data: one\n\n"

    with anyio.fail_after(5):
        await write_stream(outlet, wait_for_head(), keepalive_seconds=0.01, headers=(), trace=begin("t1"))
    assert outlet.body == b"data: one\n\n"


async def test_silence_is_counted_from_the_last_write() -> None:
    outlet = KeptOutlet()
    ticked = anyio.Event()

    async def talking() -> AsyncGenerator[bytes]:
        yield b"data: one\n\n"
        outlet.last_write += 1000
        asyncio.get_running_loop().call_later(0.02, ticked.set)
        await ticked.wait()

    with anyio.fail_after(5):
        await write_stream(outlet, talking(), keepalive_seconds=0.01, headers=(), trace=begin("t1"))
    assert outlet.body == b"data: one\n\n"


@pytest.mark.parametrize("seconds", [0.01, 0])
async def test_a_client_that_leaves_ends_the_turn(seconds: float) -> None:
    outlet = KeptOutlet()
    closed = anyio.Event()

    async def endless() -> AsyncGenerator[bytes]:
        try:
            yield b""
            await anyio.sleep_forever()
        finally:
            closed.set()

    async def write() -> None:
        await write_stream(outlet, endless(), keepalive_seconds=seconds, headers=(), trace=begin("t1"))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            await outlet.began.wait()
            tasks.cancel_scope.cancel()
    assert (closed.is_set(), outlet.ended) == (True, False)
