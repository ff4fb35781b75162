"""Whether and when an upstream that failed is asked again (WK-145 to WK-147)."""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from werkzeugkoppler.errors import Headers, UpstreamError

MAX_RETRY_AFTER_SECONDS = 60.0
"""An upstream that names a longer time is asked after this one all the same: a client is waiting."""

SHORTEST_INTERVAL_SECONDS = 0.05
"""Whatever is set: to ask again without a pause and without end would keep the proxy from all else."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often an upstream is asked again, and how soon."""

    retries: int
    """After the first failure; below 0: without end."""
    interval: float
    """Seconds between two requests."""
    now: Callable[[], float]
    """Gives the time, in seconds since the epoch."""

    def wait_after(self, error: UpstreamError, failures: int) -> float | None:
        """Seconds until the next request; `None`: there is none.

        Args:
            failures: How many requests have failed, with this one.
        """
        if not error.can_retry or 0 <= self.retries < failures:
            return None
        asked_for = _retry_after(error.headers, self.now)
        return max(self.interval, SHORTEST_INTERVAL_SECONDS, min(asked_for, MAX_RETRY_AFTER_SECONDS))


def is_noted(retry: int) -> bool:
    """Whether a retry is worth a note: the first, second, fourth, eighth, so that notes stay few.

    Args:
        retry: Its number within the leg, from 1.
    """
    return retry & (retry - 1) == 0


def _retry_after(headers: Headers, now: Callable[[], float]) -> float:
    """The seconds that the upstream asks for, as a number or as a date (RFC 9110, 10.2.3); 0 for none."""
    value = next((value.strip() for name, value in headers if name.lower() == "retry-after"), "")
    try:
        return max(0.0, float(value))  # some servers send decimals; `nan` and `inf` are bounded by the caller
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(value).timestamp() - now()
    except (ValueError, OverflowError):
        return 0.0
