"""Bodies shown as mitmproxy shows them, through whichever view it chooses."""

import json
from functools import cache
from typing import Any

from mitmproxy import contentviews, http
from mitmproxy.contentviews import ContentviewResult
from mitmproxy.test.taddons import context
from mitmproxy.test.tflow import tflow

from werkzeugkoppler import labels, views
from werkzeugkoppler.errors import Headers
from werkzeugkoppler.flows import response

JSON: Headers = (("content-type", "application/json"),)
SSE: Headers = (("content-type", "text/event-stream; charset=utf-8"),)


def flow_of(kind: str = "leg", **link: Any) -> http.HTTPFlow:
    """A flow of a turn's; `link` is what its metadata says beside its turn and kind."""
    flow = tflow()
    labels.begin(flow, {"turn": "1a2b3c4d", "kind": kind, "leg": 0, **link}, link.get("label", kind))
    return flow


def shown_request(body: Any, flow: http.HTTPFlow | None = None) -> ContentviewResult:
    """What is shown of a request; a body that is not bytes is sent as JSON."""
    flow = flow or flow_of()
    flow.request.headers["content-type"] = "application/json"
    flow.request.content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return shown(flow.request, flow)


def shown_response(
    body: Any, headers: Headers = JSON, flow: http.HTTPFlow | None = None
) -> ContentviewResult:
    """The same of a response."""
    flow = flow or flow_of()
    flow.response = response(200, headers, body if isinstance(body, bytes) else json.dumps(body).encode())
    return shown(flow.response, flow)


def shown(message: http.Message, flow: http.HTTPFlow) -> ContentviewResult:
    views.register()
    try:
        with _context():
            return contentviews.prettify_message(message, flow)
    finally:
        views.unregister()


@cache
def _context() -> context:
    return context()  # makes a whole master
