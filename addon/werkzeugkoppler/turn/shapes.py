"""A choice of a chunk, whatever form its server gave it."""

from collections.abc import Callable
from typing import Any

from werkzeugkoppler.wire.completion import finish_reason_of


def delta_of(choice: dict[str, Any], mended: Callable[[str], None], *, begun: bool) -> dict[str, Any] | None:
    """The choice's delta, an empty one where it has none; `None` for a choice that is not to be seen.

    Args:
        mended: Is told what was wrong with it (BX-02).
        begun: A choice of this leg has been seen.
    """
    delta, message = choice.get("delta"), choice.get("message")
    if isinstance(delta, dict):
        return delta
    if isinstance(message, dict):
        mended("a chunk had a message in place of a delta")
        return message
    if finish_reason_of(choice) is not None:
        mended("the finish had no delta")
    elif not begun:
        return None  # Azure's notes about content filters have no identity: they cannot be the first
    return {}
