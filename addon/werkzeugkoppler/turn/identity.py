"""The one identity that all chunks of a stream have (WK-124)."""

from collections.abc import Mapping
from typing import Any

from werkzeugkoppler.wire.completion import Chunk
from werkzeugkoppler.wire.jsontext import dumps
from werkzeugkoppler.wire.sse import event


class Identity:
    """`id`, `created` and `model`: those of the first chunk that the client sees.

    Args:
        default: For an upstream that sends none, and for what is said before its first chunk.
    """

    def __init__(self, default: Mapping[str, Any]) -> None:
        self._default = default
        self._values: dict[str, Any] | None = None

    def get(self, key: str) -> Any:
        """A value as far as it is known: the default before the first chunk."""
        return (self._values or self._default)[key]

    def is_that_of(self, chunk: Chunk) -> bool:
        """Whether a chunk has this identity; the first one gives it."""
        if self._values is None:
            self._values = {key: chunk.get(key) or made for key, made in self._default.items()}
        return all(chunk.get(key) == value for key, value in self._values.items())

    def event(self, chunk: Chunk) -> bytes:
        """The chunk under this identity, as bytes."""
        self.is_that_of(chunk)
        assert self._values is not None
        return event(dumps({**chunk, **self._values, "object": "chat.completion.chunk"}))
