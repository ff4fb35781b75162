"""Names that may stand only once in their list."""

from collections.abc import Iterator
from typing import Any

from werkzeugkoppler.config.problem import Path, Problem


def repeated_names(values: dict[str, Any]) -> Iterator[Problem]:
    """The names that stand twice where each may stand once.

    It looks at the file's own values, so that a problem elsewhere does not hide these.
    """
    yield from _repeated(values.get("mcp_servers"), "server_id", ("mcp_servers",))
    yield from _repeated(values.get("last_user_message_readers"), "name", ("last_user_message_readers",))
    yield from _repeated(values.get("detectors"), "name", ("detectors",))
    actions = values.get("actions")
    yield from _repeated(actions, "name", ("actions",))
    for index, action in enumerate(actions if isinstance(actions, list) else []):
        if isinstance(action, dict):
            yield from _repeated(action.get("parameters"), "name", ("actions", index, "parameters"))


def _repeated(items: Any, key: str, above: Path) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, item in enumerate(items if isinstance(items, list) else []):
        name = item.get(key) if isinstance(item, dict) else None
        if isinstance(name, str) and first.setdefault(name, index) != index:
            text = f"is the same as in entry [{first[name]}]: choose another name"
            yield Problem((*above, index, key), text)
