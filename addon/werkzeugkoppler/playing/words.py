"""Two texts that should be one, and where they part."""

from werkzeugkoppler.turn.prefix import shared

QUOTED = 30
"""Bytes of each side that are shown from the first difference on."""


def first_difference(first: bytes, second: bytes, first_is: str, second_is: str) -> str | None:
    """Where two bodies part, with a short quote of both; `None` where they are the same.

    Args:
        first_is: What the first is called.
    """
    if first == second:
        return None
    at = shared(first, second)
    return f"first difference at byte {at}: {first_is} {quoted(first, at)}, {second_is} {quoted(second, at)}"


def quoted(text: bytes, at: int) -> str:
    """A piece of a text, on one line, that cannot steer a terminal."""
    return ascii(text[at : at + QUOTED].decode("utf-8", "replace")) if at < len(text) else "(the end)"
