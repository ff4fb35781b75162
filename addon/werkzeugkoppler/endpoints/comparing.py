"""A diff of two JSON texts, in a time that grows no faster than they do.

`difflib` takes minutes for half a megabyte of lines that are alike. Here only lines that stand once in either
are looked for, and what is equal around them: what is said in a conversation stands in such lines.
"""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher

MAX_BYTES = 1024 * 1024
"""Of both texts: nobody reads a longer diff."""
MAX_LAID_OUT_CHARS = 16 * MAX_BYTES
"""Of one text laid out, which many brackets within each other make very long."""


def diff(before: str, after: str) -> str | None:
    """A unified diff of two JSON texts, each laid out a member a line; `None` where they are too long."""
    if len(before) + len(after) > MAX_BYTES:
        return None
    old, new = _lines(before), _lines(after)
    return None if old is None or new is None else "\n".join(_unified(old, new))


def _lines(text: str) -> list[str] | None:
    pieces = json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(json.loads(text))
    known, size = [], 0
    try:
        for piece in pieces:
            known.append(piece)
            size += len(piece)
            if size > MAX_LAID_OUT_CHARS:
                return None
    except RecursionError:
        return None
    return "".join(known).split("\n")


class _Anchored(SequenceMatcher[str]):
    """Knows what is equal from the start."""

    def __init__(self, blocks: list[Match]) -> None:
        super().__init__(autojunk=False)
        self._blocks = blocks

    def get_matching_blocks(self) -> list[Match]:
        return self._blocks


def _unified(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    if before == after:
        return
    yield from ("--- client", "+++ upstream")
    blocks = list(_blocks(before, after))
    for hunk in _Anchored(blocks).get_grouped_opcodes():
        (_, a, _, b, _), (_, _, a_end, _, b_end) = hunk[0], hunk[-1]
        yield f"@@ -{_range(a, a_end)} +{_range(b, b_end)} @@"
        for tag, a, a_end, b, b_end in hunk:
            if tag == "equal":
                yield from (f" {line}" for line in before[a:a_end])
            else:
                yield from (f"-{line}" for line in before[a:a_end])
                yield from (f"+{line}" for line in after[b:b_end])


def _range(begin: int, end: int) -> str:
    """Lines as a hunk's head names them: the first, from 1, and how many."""
    return f"{begin + 1 if end > begin else begin},{end - begin}"


def _blocks(before: Sequence[str], after: Sequence[str]) -> Iterator[Match]:
    """What is equal, in order; an empty block at the end."""
    a_end = b_end = 0  # of what is equal so far
    for a, b in [(0, 0), *_anchors(before, after), (len(before), len(after))]:
        if a < a_end:
            continue  # the last block has it
        begin = a
        while begin > a_end and b - a + begin > b_end and before[begin - 1] == after[b - a + begin - 1]:
            begin -= 1
        a_end, b_end = a, b
        while a_end < len(before) and b_end < len(after) and before[a_end] == after[b_end]:
            a_end, b_end = a_end + 1, b_end + 1
        if begin < a_end:
            yield Match(begin, b - a + begin, a_end - begin)
    yield Match(len(before), len(after), 0)


def _anchors(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """Where lines stand that either text has once: as many as are in one order in both."""
    places = dict(_single(after))
    pairs = [(a, places[line]) for line, a in _single(before) if line in places]
    # The longest rising row: for each length the pair that ends such a row lowest, and what stands before it.
    ends: list[int] = []
    last: list[int] = []
    earlier: list[int] = []
    for index, (_, b) in enumerate(pairs):
        length = bisect_left(ends, b)
        ends[length : length + 1] = [b]
        last[length : length + 1] = [index]
        earlier.append(last[length - 1] if length else -1)
    row, index = [], last[-1] if last else -1
    while index >= 0:
        row.append(pairs[index])
        index = earlier[index]
    return row[::-1]


def _single(lines: Sequence[str]) -> Iterator[tuple[str, int]]:
    counts = Counter(lines)
    return ((line, number) for number, line in enumerate(lines) if counts[line] == 1)
