"""Our own messages for one turn: the readers are run, and what they found is put in."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from anyio import create_task_group

from werkzeugkoppler import exchange
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.endpoints.call import Call
from werkzeugkoppler.endpoints.traced import traced
from werkzeugkoppler.tools.readers import MessageReader
from werkzeugkoppler.turn.placeholders import fill, readers_named
from werkzeugkoppler.wire.chat import ChatRequest
from werkzeugkoppler.wire.http import TEXT_HEADERS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader found."""

    text: str
    """Empty where it failed or was killed."""
    ms: float


async def read_all(call: Call, request: ChatRequest) -> Mapping[str, Reading]:
    """What each reader found, by its name; they run side by side, each once (WK-42, WK-43)."""
    readings: dict[str, Reading] = {}
    if not call.stack.readers:
        return readings  # most stacks: their turns are spared a task group, which is a round of the loop
    message = request.last_user_text

    async def read(reader: MessageReader) -> None:
        began = time.monotonic()
        text = await _read(call, reader, message)
        readings[reader.name] = Reading(text, (time.monotonic() - began) * 1000)

    async with create_task_group() as group:
        for reader in call.stack.readers:
            group.start_soon(read, reader)
    return {reader.name: readings[reader.name] for reader in call.stack.readers}


def our_messages(settings: Settings, readings: Mapping[str, Reading]) -> list[dict[str, Any]]:
    """The `init_messages` for this turn."""
    for name in sorted(readers_named(settings.init_messages) - readings.keys()):
        logger.warning("There is no reader %s, its placeholder becomes empty", name)
    now = datetime.now(ZoneInfo(settings.timezone)) if settings.timezone else datetime.now().astimezone()
    texts = {name: reading.text for name, reading in readings.items()}
    return fill(settings.init_messages, now=now, readings=texts)


async def _read(call: Call, reader: MessageReader, message: str) -> str:
    """Run one reader as an exchange that is traced; empty where it failed or was killed."""
    what = exchange.Act("reader", reader.name, "", message, {"reader": reader.name}, TEXT_HEADERS)
    with traced(call.trace, "reader", name=reader.name) as outcome:
        return outcome.of(await exchange.act(call.link, what, partial(perform, reader)))


async def perform(reader: MessageReader, message: str) -> tuple[int, str]:
    """Run a reader; a status, and what it found."""
    text = await reader.read(message)
    return (500, "") if text is None else (200, text)
