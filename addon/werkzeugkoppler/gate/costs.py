"""What tools cost, and whether the config lets them (OW-58, OW-59).

A cost is a word for what a tool can do to the world, such as `filesystem_write`. Any word will do; those that
are usual stand in the reference. A tool of an MCP server has one of its own besides: `mcp_tool:SERVER:TOOL`.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

MCP_TOOL = "mcp_tool"


def of_mcp_tool(server_id: str, name: str, costs: Sequence[str] | None) -> tuple[str, ...]:
    """The costs of a server's tool.

    Args:
        costs: Those that the server's entry lists. None: it has no such list, and its tools are free, as
            those of configs that know nothing of costs are.
    """
    return () if costs is None else (*costs, f"{MCP_TOOL}:{server_id}:{name}")


def missing(costs: Iterable[str], authorized: Iterable[str]) -> tuple[str, ...]:
    """The costs that nothing in `authorized` covers, in their order, each once."""
    patterns = tuple(authorized)
    return tuple(cost for cost in dict.fromkeys(costs) if not is_covered(cost, patterns))


def is_covered(cost: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns stands for a cost."""
    return any(_covers(pattern, cost) for pattern in patterns)


def _covers(pattern: str, cost: str) -> bool:
    """Whether a pattern stands for a cost: `mcp_tool:files` stands for each tool of that server."""
    return fnmatchcase(cost, pattern) or fnmatchcase(cost, f"{pattern}:*")
