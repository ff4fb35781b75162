"""What a turn has done, as an event of its trace: whether it went well, and how long it took."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from werkzeugkoppler.flows import Kill
from werkzeugkoppler.labels import DENIED_STATUS
from werkzeugkoppler.traces import Trace
from werkzeugkoppler.wire.glance import exit_code


@dataclass(slots=True)
class Outcome:
    """How something went; as long as nothing else is known it failed."""

    success: bool = False
    is_denied: bool = False
    is_cancelled: bool = False
    size: int | None = None
    """Characters of the text that came of it."""
    text: str | None = None
    edited: str | None = None
    """What was done in place of what was asked for, where somebody edited that."""

    def of(self, done: tuple[int, str] | Kill, killed: Callable[[Kill], str] = lambda kill: "") -> str:
        """Note what `exchange.act` gave.

        Args:
            killed: Gives the text where the flow was killed.

        Returns:
            The text that came of it.
        """
        if isinstance(done, Kill):
            self.is_denied, text = done is Kill.BEFORE, killed(done)
        else:
            status, text = done
            self.is_denied, self.success = status == DENIED_STATUS, 200 <= status < 300
        self.size, self.text = len(text), text
        return text


@contextmanager
def traced(trace: Trace, type: str, *, if_cancelled: str | None = None, **fields: Any) -> Iterator[Outcome]:
    """Note an event about what is done in here, when it has ended, however that comes.

    Args:
        if_cancelled: The event's type where it was broken off.
    """
    began = time.monotonic()
    outcome = Outcome()
    try:
        yield outcome
    except asyncio.CancelledError:
        outcome.is_cancelled = True
        raise
    finally:
        trace.add(
            if_cancelled if if_cancelled and outcome.is_cancelled else type,
            **fields,
            success=outcome.success,
            denied=outcome.is_denied or None,
            cancelled=outcome.is_cancelled or None,
            edited=outcome.edited is not None or None,
            exit_code=exit_code(outcome.text) if type == "tool_result" and outcome.text else None,
            bytes=outcome.size,
            duration_ms=round((time.monotonic() - began) * 1000),
            arguments=trace.content(outcome.edited),
            content=trace.content(outcome.text),
        )
