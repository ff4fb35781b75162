"""What the fake MCP servers note of what reaches them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio

POLL_SECONDS: Final = 0.02
"""The server is another process that only writes a file, so the file is looked at."""


@dataclass(frozen=True)
class ServerLog:
    """The file that a fake server is told of by `WK_FAKE_LOG`."""

    path: Path

    def count(self, event: str) -> int:
        """How many lines begin with these words."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        return sum(line.startswith(event) for line in lines)

    async def until(self, event: str, number: int) -> None:
        """Wait until that many lines begin with these words; the caller bounds it."""
        while self.count(event) < number:  # noqa: ASYNC110 - a file sets no event
            await anyio.sleep(POLL_SECONDS)
