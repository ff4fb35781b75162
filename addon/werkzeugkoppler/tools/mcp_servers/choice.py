"""Decide which tools of an MCP server are the model's to use."""

from collections.abc import Sequence
from fnmatch import fnmatchcase


def is_chosen(name: str, *, allowed: Sequence[str] | None, blocked: Sequence[str]) -> bool:
    """Whether a tool is offered and run (BX-21).

    Args:
        name: The tool's name as its server says it, without the server's.
        allowed: Patterns (`*`, `?`, `[...]`, upper and lower case differ). None allows every tool, an empty
            sequence not one: who removes the last pattern must not open the whole server.
        blocked: Patterns as well, which win over `allowed`.
    """
    if any(fnmatchcase(name, pattern) for pattern in blocked):
        return False
    return allowed is None or any(fnmatchcase(name, pattern) for pattern in allowed)
