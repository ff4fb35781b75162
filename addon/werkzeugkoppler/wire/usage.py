"""Token counts, added up over the legs of a turn (BX-06)."""

from typing import Any

type Usage = dict[str, Any]


def add(total: Usage | None, more: Usage | None) -> Usage | None:
    """The sum of two usage objects, details too.

    Numbers are added, objects member by member; of anything else the newer value stands.
    """
    if total is None or more is None:
        return more if total is None else total
    return {
        key: _sum(total.get(key), more.get(key)) for key in [*total, *(k for k in more if k not in total)]
    }


def _sum(a: Any, b: Any) -> Any:
    if isinstance(a, dict) or isinstance(b, dict):
        return add(a if isinstance(a, dict) else None, b if isinstance(b, dict) else None)
    if _is_number(a) and _is_number(b):
        return a + b
    return a if b is None else b


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
