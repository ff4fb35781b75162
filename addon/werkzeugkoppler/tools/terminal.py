"""What a terminal would show of what a command writes: text without terminal commands, line by line."""

import re
from collections.abc import Callable

# Everything that a terminal takes as a command: CSI, OSC up to its end, and the short two-byte escapes.
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")

_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
"""What is left of control characters, a tab apart."""

MAX_LINE_CHARS = 200
"""Of a line that is shown while a command runs: it is a sign of life, the result has it whole."""

MAX_LINE_BYTES = 16 * 1024
"""Of a line that has not ended yet; what is more of it is dropped."""


MAX_LINES_OF_A_PIECE = 20
"""Of a piece only the last lines are looked at: a flood must not hold the event loop up."""


def last_states(text: str) -> list[str]:
    """The lines as they stand at the end, without terminal commands; of an overwritten one its last state."""
    return [line.rstrip("\r").rpartition("\r")[2] for line in ANSI.sub("", text).split("\n")]


def shown_line(text: str) -> str:
    """A text as one line to show, cut; empty where there is nothing to see."""
    line = _CONTROLS.sub(" ", ANSI.sub("", text)).strip()
    return line if len(line) <= MAX_LINE_CHARS else f"{line[:MAX_LINE_CHARS]}..."


class LiveLines:
    """The lines of an output that comes in pieces, told as they end, blank ones left out.

    A line that is overwritten again and again, as a progress bar is, is told with each piece as it stands.

    Args:
        tell: Takes a line.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._begun = b""  # a line without its end

    def feed(self, data: bytes) -> None:
        """Take a piece; it may end within a character."""
        *ended, self._begun = (self._begun + data).rsplit(b"\n", MAX_LINES_OF_A_PIECE)
        for line in ended[-MAX_LINES_OF_A_PIECE + 1 :]:
            self._show(line)
        overwritten, separator, rest = self._begun.rpartition(b"\r")
        if separator:
            self._show(overwritten)
            self._begun = rest
        self._begun = self._begun[:MAX_LINE_BYTES]

    def _show(self, line: bytes) -> None:
        states = last_states(line[:MAX_LINE_BYTES].decode(errors="replace"))
        if shown := shown_line(states[0]):
            self._tell(shown)
