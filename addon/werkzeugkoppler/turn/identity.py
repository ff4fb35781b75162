"""The one identity that all chunks of a stream have (WK-124)."""

from collections.abc import Mapping
from typing import Any

from werkzeugkoppler.wire.completion import Chunk
from werkzeugkoppler.wire.jsontext import JsonObject, dumps
from werkzeugkoppler.wire.rewrite import rewritten
from werkzeugkoppler.wire.sse import SseEvent, event

MAX_LESSONS = 200
"""Of a stream: where every chunk begins in another way nothing is to be learned."""
OBJECT = "chat.completion.chunk"


class Identity:
    """`id`, `created` and `model`: those of the first chunk that the client sees.

    Args:
        default: For an upstream that sends none, and for what is said before its first chunk.
    """

    def __init__(self, default: Mapping[str, Any]) -> None:
        self._default = default
        self._values: dict[str, Any] | None = None
        self._head = _Head()

    def get(self, key: str) -> Any:
        """A value as far as it is known: the default before the first chunk."""
        return (self._values or self._default)[key]

    def is_that_of(self, chunk: Chunk) -> bool:
        """Whether a chunk has this identity; the first one gives it."""
        if self._values is None:
            self._values = {key: chunk.get(key) or made for key, made in self._default.items()}
        return all(chunk.get(key) == value for key, value in self._values.items())

    def event(self, chunk: Chunk) -> bytes:
        """A chunk of ours under this identity."""
        self.is_that_of(chunk)
        assert self._values is not None
        return event(dumps({**chunk, **self._values, "object": OBJECT}))

    def told(self, written: SseEvent, said: Chunk, seen: Chunk) -> bytes:
        """An event of the upstream's under this identity, with its other changes.

        Args:
            written: It stays as it was written where nothing changes.
            said: What it says.
            seen: What it is to say; the same object where nothing else changes.
        """
        if self.is_that_of(said) and seen is said:
            return written.raw
        assert self._values is not None
        text = written.data.decode()
        if seen is said and (known := self._head.renamed(text, said)) is not None:
            return event(known, written.raw)
        changed = rewritten(text, said, {**seen, **self._values, "object": OBJECT})
        if seen is said:
            self._head.learn(text, changed, said)
        return written.raw if changed == text else event(changed, written.raw)


class _Head:
    """How chunks of a leg begin, up to their choices, and how that is to read instead.

    All but the first few of a leg begin alike: reading each of them as JSON again would take most of
    the time that the relay takes.
    """

    def __init__(self) -> None:
        self._before = self._after = ""
        self._said: list[Any] = []
        self._lessons = 0

    def learn(self, before: str, after: str, said: Chunk) -> None:
        """Take from a chunk that was changed how it begins."""
        self._lessons += 1
        if self._lessons > MAX_LESSONS:
            return
        rest = _from_choices(before)
        if rest and after.endswith(rest):
            self._before, self._after = before.removesuffix(rest), after.removesuffix(rest)
            self._said = _identity_of(said)

    def renamed(self, text: str, said: Chunk) -> str | None:
        """The text with the other beginning, `None` where it does not begin so."""
        if not self._before or not text.startswith(self._before) or _identity_of(said) != self._said:
            return None
        return self._after + text[len(self._before) :]


def _from_choices(text: str) -> str:
    """What a chunk's text has from the value of its choices on."""
    start = next(m.value_start for m in JsonObject.parse(text, lenient=True).members if m.key == "choices")
    return text[start:]


def _identity_of(chunk: Chunk) -> list[Any]:
    return [chunk.get(key) for key in ("id", "created", "model", "object")]
