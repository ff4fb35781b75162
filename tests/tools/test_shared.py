"""Servers that several stacks have."""

from dataclasses import dataclass, field

import anyio
import pytest

from werkzeugkoppler.tools.registry import SourceStatus
from werkzeugkoppler.tools.shared import SharedSources
from werkzeugkoppler.tools.tool import Tool

STATUS = SourceStatus("fake", "stdio", True, None, None)


@dataclass
class Source:
    """A server that notes what is done to it, and ends when it may."""

    events: list[str] = field(default_factory=list)
    tools: tuple[Tool, ...] = ()
    may_end: anyio.Event | None = None

    def status(self) -> SourceStatus:
        return STATUS

    async def open(self) -> None:
        self.events.append("open")

    async def settled(self) -> None:
        self.events.append("settled")

    async def close(self) -> None:
        self.events.append("close")
        if self.may_end is not None:
            await self.may_end.wait()


async def test_a_server_is_opened_by_the_first_and_closed_by_the_last() -> None:
    servers, made = SharedSources(), Source()
    first = servers.take("entry", lambda: made)
    await first.open()
    second = servers.take("entry", Source)
    await second.open()
    await first.close()
    await second.settled()
    assert second.status() is STATUS and second.tools is made.tools
    assert made.events == ["open", "settled"]
    await second.close()
    assert made.events == ["open", "settled", "close"]


async def test_another_entry_is_another_server() -> None:
    servers = SharedSources()
    assert servers.take("one", Source) is not servers.take("two", Source)


async def test_a_server_that_was_closed_is_made_anew() -> None:
    servers, made, again = SharedSources(), Source(), Source()
    shared = servers.take("entry", lambda: made)
    await shared.open()
    await shared.close()
    await servers.take("entry", lambda: again).open()
    assert again.events == ["open"]


async def test_a_server_that_comes_back_waits_for_the_end_of_its_process_before() -> None:
    servers, the_end, new = SharedSources(), anyio.Event(), Source()
    old = Source(may_end=the_end)
    before = servers.take("entry", lambda: old)
    await before.open()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(before.close)
            await anyio.wait_all_tasks_blocked()
            after = servers.take("entry", lambda: new)
            await after.open()
            group.start_soon(after.settled)
            await anyio.wait_all_tasks_blocked()
            assert (old.events, new.events) == (["open", "close"], [])
            the_end.set()
    assert new.events == ["open", "settled"]


async def test_a_server_that_goes_again_before_it_was_opened_is_not_waited_for() -> None:
    servers, the_end, new, last = SharedSources(), anyio.Event(), Source(), Source()
    old = Source(may_end=the_end)
    before = servers.take("entry", lambda: old)
    await before.open()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(before.close)
            await anyio.wait_all_tasks_blocked()
            between = servers.take("entry", lambda: new)
            await between.open()
            await between.close()
            await between.settled()
            await servers.take("entry", lambda: last).open()
            the_end.set()
            await anyio.wait_all_tasks_blocked()
    assert (new.events, last.events) == (["close"], ["open"])


async def test_servers_that_were_taken_in_vain_are_given_back() -> None:
    servers, made = SharedSources(), Source()
    first = servers.take("old", lambda: made)
    await first.open()
    with pytest.raises(OSError), servers.all_or_none():
        servers.take("old", Source)
        in_vain = servers.take("new", Source)
        raise OSError
    assert servers.take("new", Source) is not in_vain
    await first.close()
    assert made.events == ["open", "close"]
