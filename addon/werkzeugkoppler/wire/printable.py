"""Text that others wrote, made harmless for terminals, lists of flows, and whoever decides by it."""


def printable(text: str, kept: str = "") -> str:
    """A text of printable characters alone.

    What is not, is a dot, and a space where it is one: escapes, control characters of either kind, what turns
    the direction of writing, what has no width, halves of surrogate pairs.

    Args:
        kept: Characters that stay nevertheless.
    """
    if text.isprintable():
        return text  # an attribute of each character, but most texts are wholly printable
    return text.translate(_Table(kept))


def cut(value: object, limit: int) -> str:
    """What others gave as a word: printable, and no longer than the limit."""
    text = str(value)[: limit + 1]
    return printable(text if len(text) <= limit else f"{text[: limit - 1]}…")


class _Table(dict[int, str]):
    """What a text's characters are written as; each is looked at once, as a text may be long."""

    def __init__(self, kept: str) -> None:
        super().__init__({ord(character): character for character in kept})

    def __missing__(self, number: int) -> str:
        character = chr(number)
        shown = character if character.isprintable() else " " if character.isspace() else "·"
        self[number] = shown
        return shown
