"""Servers that several stacks have."""

from dataclasses import dataclass, field

from werkzeugkoppler.tools.registry import SourceStatus
from werkzeugkoppler.tools.shared import SharedSources
from werkzeugkoppler.tools.tool import Tool

STATUS = SourceStatus("fake", "stdio", True, None, None)


@dataclass
class Source:
    """A server that notes what is done to it."""

    events: list[str] = field(default_factory=list)
    tools: tuple[Tool, ...] = ()

    def status(self) -> SourceStatus:
        return STATUS

    async def open(self) -> None:
        self.events.append("open")

    async def settled(self) -> None:
        self.events.append("settled")

    async def close(self) -> None:
        self.events.append("close")


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
