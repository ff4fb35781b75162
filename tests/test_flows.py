"""A request of ours is shown as a flow, and sent as the flow has it."""

import pytest
from mitmproxy.test import tflow

from werkzeugkoppler.flows import make_flow, request_of
from werkzeugkoppler.wire.http import HttpRequest


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://[::1]:8000/v1/models", "[::1]:8000"),
        ("http://[::1]/v1/models", "[::1]"),
        ("https://example.org/x?a=1", "example.org"),
        ("https://example.org:80/x", "example.org:80"),
    ],
)
def test_a_flow_asks_what_it_was_made_of(url: str, host: str) -> None:
    flow = make_flow(tflow.tclient_conn(), HttpRequest("POST", url, (("accept", "x"),), b"body"))
    assert flow.request.headers["host"] == host
    assert request_of(flow) == HttpRequest("POST", url, (("accept", "x"),), b"body")
