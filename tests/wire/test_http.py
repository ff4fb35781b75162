"""What is read from the headers of an answer."""

import pytest

from werkzeugkoppler.errors import Headers
from werkzeugkoppler.wire.http import media_type, whole


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((), ""),
        ((("content-type", "text/event-stream"),), "text/event-stream"),
        ((("x", "y"), ("Content-Type", "Text/Event-Stream ; charset=utf-8")), "text/event-stream"),
    ],
)
def test_the_media_type_is_told_without_case_and_parameters(headers: Headers, expected: str) -> None:
    assert media_type(headers) == expected


async def test_a_whole_body_comes_in_one_piece() -> None:
    assert [piece async for piece in whole(b"body")] == [b"body"]
