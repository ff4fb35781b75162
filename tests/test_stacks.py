"""Stacks take each other's place, and all have ended when the last one has."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from werkzeugkoppler import stack as stack_module
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.stack import Stack
from werkzeugkoppler.stacks import Stacks

DEMO = Settings(upstream_base_url="demo")


def noting(events: list[str], name: str, then: Callable[[], Awaitable[None]]) -> Callable[[], Any]:
    """What a stack does at its end."""

    async def close() -> None:
        events.append(f"{name} begins to end")
        await then()
        events.append(f"{name} has ended")

    return close


async def put_to_work(stacks: Stacks, events: list[str], name: str, may_end: anyio.Event) -> Stack:
    stack = await stacks.replace(DEMO)
    stack.close = noting(events, name, may_end.wait)  # type: ignore[method-assign]
    return stack


async def test_the_end_waits_for_stacks_that_are_ending_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("werkzeugkoppler.stacks.LINGER_SECONDS", 0)
    stacks, events, may_end = Stacks(), list[str](), anyio.Event()
    for name in ("old", "new"):
        await put_to_work(stacks, events, name, may_end)
    with anyio.fail_after(5):
        while events != ["old begins to end"]:
            await anyio.lowlevel.checkpoint()
        async with anyio.create_task_group() as group:
            group.start_soon(stacks.close)
            await anyio.wait_all_tasks_blocked()
            may_end.set()
    assert sorted(events[2:]) == ["new has ended", "old has ended"]


async def test_the_end_does_not_linger_and_ends_each_stack_once() -> None:
    stacks, events, may_end = Stacks(), list[str](), anyio.Event()
    may_end.set()
    await put_to_work(stacks, events, "old", may_end)
    await put_to_work(stacks, events, "busy", may_end)
    hold = stacks.hold()
    await put_to_work(stacks, events, "new", may_end)
    with anyio.fail_after(0.5):
        await stacks.close()
    hold.free()
    await anyio.wait_all_tasks_blocked()
    assert sorted(events[1::2] + events[::2]) == sorted(
        f"{name} {what}" for name in ("old", "busy", "new") for what in ("begins to end", "has ended")
    )


async def test_a_stack_that_cannot_be_made_holds_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"server_id": "s", "transport": "stdio", "command": "/no/such/command"}
    settings = Settings.model_validate({"upstream_base_url": "demo", "mcp_servers": [entry]})
    stacks = Stacks()

    def fail(_: Settings) -> None:
        raise OSError("no readers today")

    with monkeypatch.context() as broken, pytest.raises(OSError):
        broken.setattr(stack_module, "_readers", fail)
        await stacks.replace(settings)
    assert stacks._servers._known == {}
