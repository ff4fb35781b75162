"""Our own messages for one turn: the readers are run, and what they found is put in."""

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from anyio import create_task_group

from werkzeugkoppler import exchange
from werkzeugkoppler.endpoints.call import Call
from werkzeugkoppler.endpoints.traced import traced
from werkzeugkoppler.tools.readers import MessageReader
from werkzeugkoppler.turn.placeholders import fill, readers_named
from werkzeugkoppler.wire.chat import ChatRequest
from werkzeugkoppler.wire.http import TEXT_HEADERS

logger = logging.getLogger(__name__)


async def our_messages(call: Call, request: ChatRequest) -> list[dict[str, Any]]:
    """The `init_messages` for this turn; every reader has been run, once (WK-42, WK-43)."""
    settings = call.stack.settings
    # Most stacks have no reader: their turns are spared a task group, which is a round of the loop.
    readings = await _read_all(call, request.last_user_text) if call.stack.readers else {}
    for name in sorted(readers_named(settings.init_messages) - readings.keys()):
        logger.warning("There is no reader %s, its placeholder becomes empty", name)
    now = datetime.now(ZoneInfo(settings.timezone)) if settings.timezone else datetime.now().astimezone()
    return fill(settings.init_messages, now=now, readings=readings)


async def _read_all(call: Call, message: str) -> Mapping[str, str]:
    """What each reader found, by its name; they run side by side."""
    readings: dict[str, str] = {}

    async def read(reader: MessageReader) -> None:
        readings[reader.name] = await _read(call, reader, message)

    async with create_task_group() as group:
        for reader in call.stack.readers:
            group.start_soon(read, reader)
    return readings


async def _read(call: Call, reader: MessageReader, message: str) -> str:
    """Run one reader as an exchange that is traced; empty where it failed or was killed."""
    what = exchange.Act("reader", reader.name, "", message, headers=TEXT_HEADERS)
    with traced(call.trace, "reader", name=reader.name) as outcome:
        return outcome.of(await exchange.act(call.link, what, partial(_perform, reader)), denied="")


async def _perform(reader: MessageReader, message: str) -> tuple[int, str]:
    text = await reader.read(message)
    return (500, "") if text is None else (200, text)
