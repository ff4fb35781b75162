"""The calls of a leg run side by side, and what they say is told meanwhile."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import anyio
import anyio.lowlevel
import pytest

from werkzeugkoppler.turn.calling import MAX_WAITING_LINES, News, Results, Tell, call_all
from werkzeugkoppler.wire.assemble import ToolCall

ONE, TWO = ToolCall("1", "server__one", "{}"), ToolCall("2", "server__two", "{}")

type Run = Callable[[ToolCall, Tell], Awaitable[str]]
type Sayings = AsyncGenerator[str | Results]


async def at_once(ended: anyio.Event) -> None:
    """No pause at all."""


def saying(run: Run, *calls: ToolCall, pause: Callable[[anyio.Event], Awaitable[None]] = at_once) -> Sayings:
    async def call_tool(call: ToolCall, number: int, tell: Tell) -> str:
        return await run(call, tell)

    return call_all(calls, 1, call_tool, concurrency=4, pause=pause)


@pytest.mark.contract("BX-08")
async def test_lines_are_told_while_a_call_runs() -> None:
    go_on = anyio.Event()

    async def run(call: ToolCall, tell: Tell) -> str:
        tell("half done")
        await go_on.wait()
        return "done"

    with anyio.fail_after(5):
        async with aclosing(saying(run, ONE)) as said:
            assert await anext(said) == "==> server__one: half done\n"
            go_on.set()
            assert [item async for item in said] == [[(ONE, "done")]]


async def test_what_comes_in_a_pause_is_told_together_the_latest_of_each_call() -> None:
    async def run(call: ToolCall, tell: Tell) -> str:
        for number in range(MAX_WAITING_LINES + 2 if call is ONE else 1):
            tell(f"line {number}")
            await anyio.lowlevel.checkpoint()
        return "done"

    with anyio.fail_after(5):
        async with aclosing(saying(run, ONE, TWO, pause=lambda ended: ended.wait())) as said:
            first, rest, _ = [item async for item in said]
    assert first == "==> server__one: line 0\n==> server__two: line 0\n"
    lines = "".join(f"==> server__one: line {n}\n" for n in range(2, MAX_WAITING_LINES + 2))
    assert rest == f"==> server__one: (1 more)\n{lines}"


def test_a_client_that_takes_nothing_fills_no_memory() -> None:
    news = News()
    tell = news.teller(0, "server__one")
    for number in range(10_000):
        tell(f"line {number}")
    assert news.take().splitlines()[0] == f"==> server__one: ({10_000 - MAX_WAITING_LINES} more)"
    assert news.take() == ""


async def test_a_client_that_takes_nothing_holds_no_call_up() -> None:
    ended = anyio.Event()

    async def run(call: ToolCall, tell: Tell) -> str:
        for number in range(1000):
            tell(f"line {number}")
            await anyio.lowlevel.checkpoint()
        ended.set()
        return "done"

    with anyio.fail_after(5):
        async with aclosing(saying(run, ONE)) as said:
            assert await anext(said) == "==> server__one: line 0\n"
            await ended.wait()
            assert [item async for item in said][-1] == [(ONE, "done")]


@pytest.mark.contract("BX-05")
async def test_leaving_cancels_the_calls_and_waits_for_their_end() -> None:
    ended: list[str] = []

    async def run(call: ToolCall, tell: Tell) -> str:
        tell("begun")
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
            ended.append(call.id)
        return ""

    with anyio.fail_after(5):
        async with aclosing(saying(run, ONE, TWO)) as said:
            await anext(said)
    assert sorted(ended) == ["1", "2"]


@pytest.mark.contract("BX-05")
async def test_cancelling_whoever_waits_cancels_the_calls() -> None:
    ended = anyio.Event()

    async def run(call: ToolCall, tell: Tell) -> str:
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()
        return ""

    async def wait() -> None:
        async with aclosing(saying(run, ONE)) as said:
            await anext(said)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    assert ended.is_set()
