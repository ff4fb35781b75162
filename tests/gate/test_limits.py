"""Places are counted, and bodies measured."""

import pytest

from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.gate.limits import Slots, check_size


def test_a_request_over_the_limit_is_told_to_try_again() -> None:
    slots = Slots()
    slots.take(1)
    with pytest.raises(ApiError, match="1 requests are being answered already") as caught:
        slots.take(1)
    assert (caught.value.status, caught.value.code) == (429, "max_concurrent_requests")
    assert caught.value.headers == (("Retry-After", "1"),)
    assert slots.taken == 1


def test_a_place_that_is_free_again_is_taken_again() -> None:
    slots = Slots()
    slots.take(1).free()
    assert slots.taken == 0
    slots.take(1)
    assert slots.taken == 1


def test_a_place_is_freed_once() -> None:
    slots = Slots()
    first, _ = slots.take(2), slots.take(2)
    first.free()
    first.free()
    assert slots.taken == 1


def test_a_lower_limit_holds_for_those_who_come() -> None:
    slots = Slots()
    for _ in range(3):
        slots.take(3)
    with pytest.raises(ApiError):
        slots.take(2)


@pytest.mark.parametrize("size", [0, 9, 10])
def test_a_body_up_to_the_limit_passes(size: int) -> None:
    check_size(size, 10)


def test_a_body_over_the_limit_is_refused() -> None:
    with pytest.raises(ApiError, match="larger than 10 bytes") as caught:
        check_size(11, 10)
    assert (caught.value.status, caught.value.code) == (413, "request_too_large")
