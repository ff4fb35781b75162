"""What of a request's head is taken out before its flow is recorded."""

import pytest
from mitmproxy.http import Headers
from mitmproxy.test.tflow import tflow

from werkzeugkoppler.admission import redact


def redacted(*fields: tuple[str, str]) -> list[tuple[str, str]]:
    flow = tflow()
    flow.request.headers = Headers([(name.encode(), value.encode()) for name, value in fields])
    redact(flow, None)
    return [(name, value) for name, value in flow.request.headers.items(multi=True)]


@pytest.mark.contract("BX-17")
@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "X-Forwarded-Authorization",
        "api-key",
        "X-Goog-Api-Key",
        "apikey",
        "X-ApiKey",
        "Cookie",
    ]
    + ["X-Auth-Token", "x-amz-security-token", "Token", "X-Client-Secret", "X-Password"],
)
def test_a_header_that_is_a_key_by_its_name_is_taken_out(name: str) -> None:
    assert redacted((name, "Bearer a"), ("accept", "*/*"), (name, "b")) == [
        (name, "[removed]"),
        ("accept", "*/*"),
    ]


@pytest.mark.parametrize("name", ["X-Tokens-Left", "Content-Type", "X-Author", "Sec-WebSocket-Key"])
def test_other_headers_stay(name: str) -> None:
    assert redacted((name, "a")) == [(name, "a")]


@pytest.mark.contract("BX-17")
def test_of_a_referrer_the_query_is_taken_out() -> None:
    assert redacted(("Referer", "http://a/b?code=1#c")) == [("Referer", "http://a/b?[removed]")]
    assert redacted(("Referer", "http://a/b")) == [("Referer", "http://a/b")]
