"""Which traces there are: found by a name, by the beginning of one, or as the newest."""

import os
from collections.abc import Iterator
from pathlib import Path

from werkzeugkoppler.traces import REFUSED, SUFFIX
from werkzeugkoppler.wire.completion import COMPLETION_PREFIX

MAX_NAMED = 5
"""Of traces whose ids begin alike."""


class NotFound(Exception):
    """There is no such trace, or more than one; the message says so."""


def find(folder: Path, id: str) -> Path:
    """The file of a trace.

    Args:
        id: As it stands in a response's header or in a completion's `id`, or its beginning.

    Raises:
        NotFound: None, or several.
    """
    wanted = id.strip().removeprefix(COMPLETION_PREFIX)
    found = sorted(path for path in paths(folder) if wanted and path.name.startswith(wanted))
    exact = [path for path in found if path.name == wanted + SUFFIX]
    if not found:
        raise NotFound(f'no session found for "{id}": there is no such trace in {folder}')
    if len(found) > 1 and not exact:
        names = ", ".join(path.name.removesuffix(SUFFIX) for path in found[:MAX_NAMED])
        more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
        raise NotFound(f'"{id}" is the beginning of {len(found)} traces: {names}{more}')
    return (exact or found)[0]


def newest(folder: Path) -> list[Path]:
    """All trace files, those that were written last first."""
    times = [(modified, path) for path in paths(folder) if (modified := _modified(path)) is not None]
    return [path for _, path in sorted(times, reverse=True)]


def paths(folder: Path) -> Iterator[Path]:
    """All trace files, in no order."""
    for place in (folder, folder / REFUSED):
        try:
            names = [entry.name for entry in os.scandir(place) if entry.name.endswith(SUFFIX)]
        except OSError:
            continue
        yield from (place / name for name in names)


def _modified(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:  # it was pruned meanwhile
        return None
