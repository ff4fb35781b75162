"""The tool calls that a streaming client sees: its own, without holes, each told as OpenAI tells it."""

from operator import is_
from typing import Any

from werkzeugkoppler.turn.leg import ENDED_EARLY, IsOurs, to_run
from werkzeugkoppler.wire.assemble import CallDraft, MessageAssembler

type Delta = dict[str, Any]


class ClientCalls:
    """The client's calls of one leg.

    A call begins with its index, id, type and name, once; later deltas have the index and a piece of
    the arguments. An item that is so already passes as the object that it is.

    Args:
        assembler: Puts the leg's message together; knows which item belongs to which call.
        is_ours: Which calls are run here and not seen.
        runs_mixed: See `leg.to_run`.
    """

    def __init__(self, assembler: MessageAssembler, is_ours: IsOurs, runs_mixed: bool) -> None:
        self._assembler = assembler
        self._is_ours = is_ours
        self._runs_mixed = runs_mixed
        self._shown: list[CallDraft] = []
        self._are_over = False  # the client was told that there are no more

    def __bool__(self) -> bool:
        """The client has seen a call."""
        return bool(self._shown)

    def wait_for_ours(self, reason: str | None) -> bool:
        """Whether calls of ours are to be run, now that the message has ended for this reason."""
        self._assembler.settle()
        if reason == "stop" and self._assembler.calls:
            self._assembler.mended("finish_reason was stop after calls")
        calls = self._assembler.calls
        return bool(to_run(calls, reason, self._is_ours, runs_mixed=self._runs_mixed))

    def finish(self, reason: str) -> str:
        """The reason for the end that the client is told."""
        if reason == "tool_calls" and not self:
            self._assembler.mended("finish_reason was tool_calls without a call")
        told = finish_of(reason, bool(self))
        self._are_over = told != "tool_calls"
        return told

    def seen_delta(self, told: Delta, seen: Delta) -> Delta:
        """What the client sees of a delta, as far as calls are concerned.

        Args:
            told: The upstream's delta.
            seen: The same with other changes; given back as it is if its calls need none.
        """
        items = told.get("tool_calls")
        if not items:
            return seen
        if not isinstance(items, list):
            self._assembler.mended("tool_calls was no array")
        calls = self._seen(items if isinstance(items, list) else [items])
        if self._are_over:
            calls = []
        if isinstance(items, list) and len(calls) == len(items) and all(map(is_, calls, items)):
            return seen
        rest = {key: value for key, value in seen.items() if key != "tool_calls"}
        return {**rest, "tool_calls": calls} if calls else rest

    def _seen(self, items: list[Any]) -> list[Delta]:
        seen: dict[int, Delta] = {}
        for item in items:
            if not isinstance(item, dict):
                continue
            call, piece = self._assembler.add_call(item)
            shown = self._seen_item(call, item, piece)
            if shown is None:
                continue
            index = shown["index"]
            if index in seen:
                self._assembler.mended("a call came in two pieces at once")
                shown = _merged(seen[index], shown)
            seen[index] = shown
        return list(seen.values())

    def _seen_item(self, call: CallDraft, item: Delta, piece: str) -> Delta | None:
        is_new = call not in self._shown
        if call.custom is None and (not call.name or self._is_ours(call.name)):
            return None  # without a name it is not known yet whose it is
        if is_new:
            self._shown.append(call)
        index = self._shown.index(call)
        if is_new and item.get("index") != index:
            self._assembler.mended("calls were numbered anew")
        if call.custom is not None:
            seen = {**item, "index": index}
        else:
            seen = self._opening(call, item, index) if is_new else _continuing(item, index, piece)
        return item if seen == item else seen

    def _opening(self, call: CallDraft, item: Delta, index: int) -> Delta:
        self._assembler.ensure_id(call)
        whole = call.to_message()
        whole["function"] = item["function"] | whole["function"]  # it is there: the name has just come
        return {**item, "index": index, **whole}


def finish_of(reason: str, has_calls: bool) -> str:
    """Why the answer ended, as the client is told: for its calls exactly where it has some (OW-54)."""
    if has_calls and reason not in ENDED_EARLY:
        return "tool_calls"
    return "stop" if reason == "tool_calls" and not has_calls else reason


def _continuing(item: Delta, index: int, piece: str) -> Delta:
    kept = {key: value for key, value in item.items() if key != "id" and (key != "type" or value)}
    function = item.get("function")
    rest = (
        {key: value for key, value in function.items() if key != "name"} if isinstance(function, dict) else {}
    )
    return {**kept, "index": index, "function": {**rest, "arguments": piece}}


def _merged(first: Delta, second: Delta) -> Delta:
    """Two items of one call: clients put items of one chunk into places of their own."""
    one, other = first.get("function") or {}, second.get("function") or {}
    arguments = f"{one.get('arguments') or ''}{other.get('arguments') or ''}"
    merged = {**second, **first}
    if one or other:
        merged["function"] = {**other, **one, "arguments": arguments}
    if "custom" in first and "custom" in second:
        text = f"{first['custom'].get('input') or ''}{second['custom'].get('input') or ''}"
        merged["custom"] = {**second["custom"], **first["custom"], "input": text}
    return merged
