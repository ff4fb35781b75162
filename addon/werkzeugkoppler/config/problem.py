"""One thing that is wrong with the configuration: what, and where."""

from dataclasses import dataclass

type Path = tuple[str | int, ...]
"""The way to a value: keys, and positions in lists."""


def dotted(path: Path) -> str:
    """A path as it is written for people: `mcp_servers[0].transport`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


@dataclass(frozen=True, order=True)
class Place:
    """A position in the file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the configuration."""

    path: Path
    """The value that is wrong, or the key that is missing."""
    text: str
    """What is wrong, a colon, and what to do."""
    place: Place | None = None
    """Where it stands; None for where the value at `path` does."""
    of_key: bool = False
    """Whether the key is wrong, not its value."""
