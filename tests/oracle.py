"""The judge of a client's answer: one whole message (BX-01), or one that failed (F18), never both or neither.

It knows nothing of the program: it reads what came over the wire as a client would, and raises
`AssertionError` with what is wrong.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_LINE_END = re.compile("\r\n|\n|\r")
_HEAD = ("id", "created", "model", "object")
_EARLY = ("length", "content_filter")


@dataclass(frozen=True)
class Complete:
    """A message that came to its end."""

    text: str
    finish: str
    calls: tuple[tuple[str, str], ...] = ()
    """The name and the arguments of each call that the client was told."""
    reasoning: str = ""
    usage: dict[str, Any] | None = None


@dataclass(frozen=True)
class Failed:
    """An answer that ended with an error."""

    error: dict[str, Any]
    text: str = ""
    """What had come before; always empty in an answer that is not streamed."""
    status: int = 200


type Verdict = Complete | Failed


def judge(status: int, content_type: str, body: bytes) -> Verdict:
    """What an HTTP answer came to, streamed or plain."""
    if content_type.startswith("text/event-stream"):
        assert status == 200, f"a stream with the status {status}"
        return verdict(body)
    assert content_type.startswith("application/json"), f"an answer of the type {content_type!r}"
    value = json.loads(body)
    if status == 200:
        return _completion(value)
    assert 400 <= status <= 599, f"the status {status}"
    return Failed(_error(value), status=status)


def verdict(body: bytes) -> Verdict:
    """What a stream came to."""
    seen = _Seen()
    for data in _data(body):
        assert not seen.done, f"after [DONE] came {data!r}"
        if data == "[DONE]":
            seen.done = True
        else:
            seen.add(json.loads(data))
    assert seen.done, "there is no [DONE]"
    assert body.rstrip().endswith(b"[DONE]"), f"after [DONE] came a comment: {body[-40:]!r}"
    return seen.verdict()


def _data(body: bytes) -> Iterator[str]:
    """The data of each event; an event without any is a comment."""
    data: list[str] = []
    *lines, rest = _LINE_END.split(body.decode("utf-8-sig"))
    assert not rest, f"the stream ends within {rest!r}"
    is_open = False
    for line in lines:
        if not line:
            if data:
                yield "\n".join(data)
            data, is_open = [], False
        else:
            is_open = True
            name, _, value = line.partition(":")
            assert name in ("data", "", "event", "id", "retry"), f"a line that is no field: {line!r}"
            data += [value.removeprefix(" ")] if name == "data" else []
    assert not is_open, "the last event has no blank line"


@dataclass
class _Seen:
    """What has come of a stream."""

    done: bool = False
    error: dict[str, Any] | None = None
    heads: set[tuple[Any, ...]] = field(default_factory=set)
    roles: list[str] = field(default_factory=list)
    finish: str | None = None
    usage: dict[str, Any] | None = None
    has_usage_chunk: bool = False
    texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)

    def add(self, chunk: Any) -> None:
        assert isinstance(chunk, dict), f"an event that is no object: {chunk!r}"
        assert self.error is None, f"after the error came {chunk}"
        if "error" in chunk and chunk["error"] is not None:
            assert self.finish is None, f"an error after the finish {self.finish!r}: {chunk}"
            self.error = _error(chunk)
            return
        choices = chunk["choices"]
        if not choices and not chunk.get("usage"):
            return  # such as Azure's prompt_filter_results, which has no identity
        self.heads.add(tuple(chunk[key] for key in _HEAD))
        assert len(self.heads) == 1, f"more than one identity: {self.heads}"
        if choices:
            self._add_choice(choices)
            self.usage = chunk.get("usage") or self.usage  # some servers count on every chunk
        else:
            assert not self.has_usage_chunk, f"usage was told more than once: {chunk}"
            self.has_usage_chunk, self.usage = True, chunk["usage"]

    def _add_choice(self, choices: list[dict[str, Any]]) -> None:
        (choice,) = choices
        delta = choice["delta"]
        assert choice["index"] == 0, f"another choice: {choice}"
        assert self.finish is None or choice.get("finish_reason") is None, f"a second finish: {choice}"
        if delta.get("role") is not None:
            self.roles.append(delta["role"])
        assert self.roles == ["assistant"], f"roles {self.roles}"
        self.texts.append(delta.get("content") or "")
        self.reasoning.append(delta.get("reasoning_content") or "")
        for call in delta.get("tool_calls") or ():
            self._add_call(**call)
        self.finish = self.finish or choice.get("finish_reason")

    def _add_call(self, index: int, function: dict[str, Any], **more: Any) -> None:
        assert index <= len(self.calls), f"call {index} comes after {len(self.calls)} calls"
        if index == len(self.calls):
            assert more["id"] and more["type"] == "function" and function["name"], (more, function)
            self.calls.append((function["name"], ""))
        name, arguments = self.calls[index]
        self.calls[index] = (name, arguments + (function.get("arguments") or ""))

    def verdict(self) -> Verdict:
        text = "".join(self.texts)
        if self.error is not None:
            return Failed(self.error, text)
        assert self.finish, "there is neither a finish nor an error"
        _check_finish(self.finish, self.calls)
        return Complete(text, self.finish, tuple(self.calls), "".join(self.reasoning), self.usage)


def _completion(value: Any) -> Complete:
    (choice,) = value["choices"]
    message = choice["message"]
    assert choice["index"] == 0 and message["role"] == "assistant" and "error" not in value, value
    functions = [call["function"] for call in message.get("tool_calls") or ()]
    calls = tuple((function["name"], function["arguments"]) for function in functions)
    _check_finish(choice["finish_reason"], calls)
    reasoning = message.get("reasoning_content") or ""
    return Complete(
        message.get("content") or "", choice["finish_reason"], calls, reasoning, value.get("usage")
    )


def _error(value: Any) -> dict[str, Any]:
    error = value["error"]
    if isinstance(error, str):
        return {"message": error}  # an upstream's own words, in a plain answer
    assert isinstance(error["message"], str), f"an error without a message: {value}"
    return dict(error)


def _check_finish(finish: str, calls: Any) -> None:
    assert isinstance(finish, str) and finish, "there is no finish"
    assert finish in _EARLY or (finish == "tool_calls") == bool(calls), (finish, calls)
