"""What a streaming client is told of the token counts: the sum over the legs, once, and only if it asked."""

from werkzeugkoppler.wire import usage as usage_of
from werkzeugkoppler.wire.completion import Chunk
from werkzeugkoppler.wire.usage import Usage


class ToldUsage:
    """The usage of one answer.

    Servers tell it on a chunk of its own, as OpenAI does, on the chunk with the finish, or on both.

    Args:
        is_wanted: The client asked for it.
    """

    def __init__(self, is_wanted: bool) -> None:
        self._is_wanted = is_wanted
        self._before: Usage | None = None  # of the legs that have ended
        self._is_told = False  # on whatever chunk
        self._has_own_chunk = False
        self.leg: Usage | None = None
        """Of the leg that is coming in."""

    def note(self, chunk: Chunk) -> None:
        """Take what a chunk of the upstream's says."""
        if isinstance(chunk.get("usage"), dict):
            self.leg = chunk["usage"]

    def seen(self, chunk: Chunk) -> Usage | None:
        """The chunk's own object where there is nothing to add, `None` where the client did not ask."""
        told = chunk.get("usage")
        if not isinstance(told, dict):
            return None
        return usage_of.add(self._before, told) if self._is_wanted else None

    def told_with_finish(self, usage: Usage | None) -> None:
        """The client saw the finish, with this usage on its chunk."""
        self._is_told |= isinstance(usage, dict)

    def takes_chunk(self, *, finish_told: bool) -> bool:
        """Whether a chunk with usage alone is the client's: the first one after the finish.

        Before the finish it may be followed by more legs.
        """
        takes = self._is_wanted and finish_told and not self._has_own_chunk
        self._is_told |= takes
        self._has_own_chunk |= takes
        return takes

    def end_leg(self) -> None:
        """Add the leg to the sum."""
        self._before, self.leg = usage_of.add(self._before, self.leg), None

    def still_to_tell(self) -> Usage | None:
        """What the client asked for and has not been told."""
        return self._before if self._is_wanted and not self._is_told else None
