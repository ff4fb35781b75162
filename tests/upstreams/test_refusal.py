"""An upstream's refusal is told to the client in the upstream's own words."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from werkzeugkoppler.errors import Cause, Headers, UpstreamError
from werkzeugkoppler.upstreams.refusal import MAX_ERROR_BYTES, SHOWN_CHARS, read_refusal
from werkzeugkoppler.wire.http import MadeAnswer


async def in_pieces(body: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def refusal(body: bytes, status: int = 400, headers: Headers = ()) -> UpstreamError:
    return await read_refusal(MadeAnswer(status, headers, in_pieces(body)))


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_a_json_error_arrives_with_its_status_byte_for_byte(status: int) -> None:
    body = b'{"error": {"message":"n\\u00f6", "code": 1.0e0}}\n'
    error = await refusal(body, status)
    assert (error.status, error.body(), error.error()["code"]) == (status, body, 1.0)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>busy</html>\n", "the upstream answered 503: <html>busy</html>"),
        (b"", "the upstream answered 503: nothing more"),
        (b"[1]", "the upstream answered 503: [1]"),
        (b"\xff\xfe\xfd", "the upstream answered 503: \ufffd\ufffd\ufffd"),
        (b'{"error": "\xff"}', 'the upstream answered 503: {"error": "\ufffd"}'),
    ],
)
async def test_a_body_that_is_no_object_is_put_into_words(body: bytes, told: str) -> None:
    error = await refusal(body, 503)
    assert (error.status, error.answer, error.error()["message"]) == (503, None, told)
    assert json.loads(error.body())["error"]["message"] == told


async def test_a_long_page_is_cut() -> None:
    error = await refusal(b"x" * 10_000)
    assert error.message.endswith(": " + "x" * SHOWN_CHARS)


@pytest.mark.parametrize("body", [b"x" * 9 * MAX_ERROR_BYTES, b'{"error":1}' + b" " * MAX_ERROR_BYTES])
async def test_a_body_that_is_too_large_is_not_read_to_its_end(body: bytes) -> None:
    pieces = in_pieces(body)
    error = await read_refusal(MadeAnswer(500, (), pieces))
    assert error.answer is None
    assert len(body) < MAX_ERROR_BYTES * 2 or [piece async for piece in pieces]


async def test_nesting_without_end_is_put_into_words() -> None:
    assert (await refusal(b"[" * 200_000)).answer is None


async def test_a_client_is_told_when_to_try_again() -> None:
    kept = (("Retry-After", "7"), ("x-ratelimit-remaining", "0"))
    error = await refusal(b"{}", 429, (("content-type", "text/html"), *kept, ("set-cookie", "a=b")))
    assert error.headers == kept


@pytest.mark.parametrize("name", ["location", "Location"])
async def test_a_redirect_is_a_bad_gateway_that_says_where_to(name: str) -> None:
    error = await refusal(b"", 307, ((name, "https://elsewhere/"),))
    assert error.status == 502
    assert "redirects to https://elsewhere/ are not followed" in error.message


def members(error: UpstreamError) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(error.body())
    return told


async def test_an_object_without_an_error_arrives_as_it_is() -> None:
    assert members(await refusal(b'{"detail": "Not Found"}', 404)) == {"detail": "Not Found"}


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (301, None),
        (400, None),
        (401, None),
        (404, Cause.NOT_FOUND),
        (429, Cause.CONNECTION),
        (500, Cause.CONNECTION),
        (529, Cause.CONNECTION),
    ],
)
async def test_what_may_be_better_another_time_has_a_cause(status: int, cause: Cause | None) -> None:
    error = await refusal(b"{}", status)
    assert (error.cause, error.can_retry) == (cause, cause is not None)
