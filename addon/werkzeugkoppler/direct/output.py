"""What a client is shown of a command's output: whole characters, within limits, in a code block."""

from codecs import getincrementaldecoder
from dataclasses import dataclass

STOPPED = 124
"""The return code of a command that was stopped here, as of `timeout(1)`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a command may take; 0 is no limit (F14)."""

    lines: int
    bytes: int
    seconds: float


class Output:
    """A command's output as text, up to the limits.

    Line breaks at the end are held back until something follows: the last ones are never shown.
    """

    def __init__(self, limits: Limits) -> None:
        self.reached: str | None = None
        """The limit that was reached, in the word for it."""
        self.size = 0
        """Bytes that have been taken."""
        self._limits = limits
        self._lines = 0  # that have ended
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def take(self, data: bytes) -> str:
        """The text that is to be shown now; nothing more is taken once a limit was reached."""
        if self._limits.bytes and len(data) > self._limits.bytes - self.size:
            data = data[: self._limits.bytes - self.size]
            self.reached = "bytes"
        if self._limits.lines:
            data = self._within_lines(data)
        self.size += len(data)
        return self._shown(self._decoder.decode(data))

    def close(self) -> str:
        """The text that is still to be shown: half a character, where the command wrote no more of it."""
        # Where the output was cut here, half a character is nobody's fault but ours.
        return "" if self.reached else self._shown(self._decoder.decode(b"", final=True))

    def _within_lines(self, data: bytes) -> bytes:
        """The part that begins no line beyond the limit: a line counts from its first byte."""
        at = 0
        while at < len(data):
            if self._lines >= self._limits.lines:
                self.reached = "line"
                return data[:at]
            end = data.find(b"\n", at)
            if end < 0:
                break
            self._lines += 1
            at = end + 1
        return data

    def _shown(self, text: str) -> str:
        text = self._held + text
        shown = text.rstrip("\r\n")
        self._held = text[len(shown) :]
        return shown


def opening(code: str) -> str:
    """What stands before the output (WK-61, WK-62)."""
    if "\n" in code:
        return f"Executing shell code:\n\n```\n{code}\n```\n\n---\nOutput:\n\n```\n"
    return f"```\n$ {code}\n"


def closing(return_code: int, notice: str = "") -> str:
    """What stands after the output; the notice says why the command was stopped."""
    return f"\n```\n\n(Return Code {return_code})" + (f"\n\n{notice}" if notice else "")


def limit_notice(reached: str) -> str:
    """Why a command that wrote too much was stopped (WK-65, WK-66)."""
    return f"Command output reached {reached} limit."


def timeout_notice(seconds: float) -> str:
    """Why a command that took too long was stopped (WK-74)."""
    return f"Command timed out after {seconds:g} seconds."
