"""A user's script that edits, answers and denies direct commands, as their text asks for it."""

from collections.abc import Sequence

from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow, Response


def request(flow: HTTPFlow) -> None:
    if flow.request.host != "direct.command":
        return
    if flow.request.text == "echo edit":
        flow.request.text = "echo edited"
    elif flow.request.text == "echo answer":
        flow.response = Response.make(200, "by hand", {"Content-Type": "text/plain"})
    elif flow.request.text == "echo deny":
        flow.kill()


def update(flows: Sequence[Flow]) -> None:
    for flow in flows:
        if isinstance(flow, HTTPFlow) and flow.response and flow.killable:
            if (flow.response.text or "").endswith("\nplease kill"):
                flow.kill()
