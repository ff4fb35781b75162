"""Work that is only computing, done where it holds nobody up."""

from collections.abc import Callable

from anyio import to_thread

SMALL_BYTES = 256 * 1024
"""Of JSON: the event loop works through it within a millisecond or two, and a thread would be a detour."""


async def computed[T](size: int, work: Callable[[], T]) -> T:
    """The result of `work`, from a thread where its input is large.

    Args:
        size: Of the input, in bytes.
        work: Is pure: it shares nothing with the rest that could change meanwhile.
    """
    return work() if size <= SMALL_BYTES else await to_thread.run_sync(work)
