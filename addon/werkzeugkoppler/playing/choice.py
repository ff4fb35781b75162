"""Which turn of a file is meant, and what there is to choose from."""

from collections.abc import Sequence
from datetime import datetime

from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.playing.saved import NotSaved, Saved, SavedTurn
from werkzeugkoppler.wire.chat import parse_request
from werkzeugkoppler.wire.completion import COMPLETION_PREFIX
from werkzeugkoppler.wire.glance import count
from werkzeugkoppler.wire.printable import cut, printable

MAX_NAMED = 20
"""Of turns that are listed to choose from: the newest."""
MAX_WORDS = 40
"""Characters of what the client's user said."""


def choose(saved: Saved, wanted: str | None) -> SavedTurn:
    """The turn that is meant.

    Args:
        wanted: Its id, or the beginning of it; `None`: there is only one.

    Raises:
        NotSaved: None is, or more than one.
    """
    begin = (wanted or "").strip().removeprefix(COMPLETION_PREFIX)
    turns = list(saved.turns.values())
    found = [turn for turn in turns if turn.id.startswith(begin)]
    if wanted is None:
        found = [turn for turn in found if turn.is_playable] or found
    if len(found) == 1:
        return _checked(found[0])
    if not found:
        raise NotSaved(f'no turn of the file begins with "{wanted}"; it holds:\n{_list(turns)}')
    why = "name one with --turn" if wanted is None else f'"{wanted}" is the beginning of several'
    raise NotSaved(f"{why}; the file holds:\n{_list(found)}")


def _checked(turn: SavedTurn) -> SavedTurn:
    if turn.client is None:
        raise NotSaved(f"turn {turn.shown_id}: the file has no flow of its client, only what was done for it")
    if not turn.is_playable:
        raise NotSaved(f"turn {turn.shown_id} asked nothing: there is nothing to play")
    return turn


def _list(turns: Sequence[SavedTurn]) -> str:
    """A line for each, the newest last."""
    older = len(turns) - MAX_NAMED
    lines = [_line(turn) for turn in turns[-MAX_NAMED:]]
    return "\n".join([f"  and {older} older", *lines] if older > 0 else lines)


def _line(turn: SavedTurn) -> str:
    counts = f"{count(len(turn.legs), 'leg')}, {count(len(turn.tools), 'tool call')}"
    what = "a direct command" if turn.commands else counts
    columns = [
        printable(turn.id),
        _began(turn),
        what if turn.is_playable else "nothing to play",
        _words(turn),
    ]
    return "".join(f"  {column}" for column in columns if column)


def _began(turn: SavedTurn) -> str:
    """When the client asked, on the clock here."""
    if turn.client is None:
        return ""
    try:
        return f"{datetime.fromtimestamp(turn.client.request.timestamp_start):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return ""


def _words(turn: SavedTurn) -> str:
    """How the last thing that the user said begins."""
    try:
        body = turn.client.request.get_content(strict=False) if turn.client is not None else None
        text = parse_request(body or b"").last_user_text
    except ApiError:
        return ""
    return cut(" ".join(text.split()), MAX_WORDS)
