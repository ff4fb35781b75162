"""A user's script that holds exchanges, as a person at mitmproxy does with an intercept filter.

An exchange is held whose request says `please hold KIND HOOK`, such as `please hold leg response`.
`GET /exchanges` tells of all that have been seen, oldest first, and `GET /forget` forgets them.
"""

import json

from mitmproxy import http

SERVED = ("/exchanges", "/forget")

seen: list[http.HTTPFlow] = []


def request(flow: http.HTTPFlow) -> None:
    if flow.request.path in SERVED:
        flow.response = http.Response.make(200, json.dumps([told(exchange) for exchange in seen]))
        if flow.request.path == "/forget":
            seen.clear()
    elif kind(flow):
        seen.append(flow)
        hold(flow, "request")


def response(flow: http.HTTPFlow) -> None:
    hold(flow, "response")


def hold(flow: http.HTTPFlow, hook: str) -> None:
    if kind(flow) and f"please hold {kind(flow)} {hook}" in (flow.request.get_text(strict=False) or ""):
        flow.intercept()


def kind(flow: http.HTTPFlow) -> str:
    link = flow.metadata.get("werkzeugkoppler") or {}
    return str(link.get("kind", ""))


def told(flow: http.HTTPFlow) -> dict[str, object]:
    return {
        "kind": kind(flow),
        "held": flow.intercepted,
        "live": flow.live,
        "status": flow.response.status_code if flow.response else None,
        "error": flow.error.msg if flow.error else None,
    }
