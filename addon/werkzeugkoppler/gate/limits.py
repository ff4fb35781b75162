"""How many at once, and how large."""

from werkzeugkoppler.errors import ApiError

RETRY_AFTER_SECONDS = 1
"""What a refused client is told: places become free at any time."""


class Slots:
    """The places for requests that are answered at the same time (F15)."""

    def __init__(self) -> None:
        self._taken = 0

    @property
    def taken(self) -> int:
        return self._taken

    def take(self, limit: int) -> "Slot":
        """Take a place.

        Raises:
            ApiError: 429, all are taken.
        """
        if self._taken >= limit:
            raise ApiError(
                429,
                f"{limit} requests are being answered already (max_concurrent_requests): try again",
                code="max_concurrent_requests",
                type="rate_limit_error",
                headers=(("Retry-After", str(RETRY_AFTER_SECONDS)),),
            )
        self._taken += 1
        return Slot(self)

    def _free(self) -> None:
        self._taken -= 1


class Slot:
    """One place, freed once however often it is asked to be."""

    def __init__(self, slots: Slots) -> None:
        self._slots: Slots | None = slots

    def free(self) -> None:
        if self._slots is not None:
            self._slots._free()
            self._slots = None


def check_size(size: int, limit: int) -> None:
    """Refuse a body of more than `limit` bytes.

    Raises:
        ApiError: 413.
    """
    if size > limit:
        raise ApiError(
            413,
            f"the request body is larger than {limit} bytes (max_request_bytes)",
            code="request_too_large",
        )
