"""Files of flows as mitmproxy would save them, of turns that were never asked."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mitmproxy import http
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

URL = "http://localhost/v1/chat/completions"
ANSWER = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "So."}, "finish_reason": "stop"}]
}


def asking(text: Any = "Hello?") -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def flow_of(turn: str, kind: str, body: Any, answer: Any = ANSWER, **link: Any) -> http.HTTPFlow:
    """A flow of a turn, with an answer unless that is `None`."""
    flow = tflow.tflow(req=http.Request.make("POST", URL, json.dumps(body)))
    if answer is not None:
        headers = {"content-type": "application/json"}
        flow.response = http.Response.make(200, json.dumps(answer), headers)
    flow.metadata["werkzeugkoppler"] = {"turn": turn, "kind": kind, "leg": 0, **link}
    return flow


def asked_turn(turn: str, text: Any = "Hello?", began: float = 0, **link: Any) -> list[http.HTTPFlow]:
    """The flows of a turn of one leg.

    Args:
        began: When, in seconds of the clock.
        link: Further entries of the client's.
    """
    flows = [flow_of(turn, "client", asking(text), **link), flow_of(turn, "leg", asking(text), leg=1)]
    for at, flow in enumerate(flows):
        flow.request.timestamp_start = began + at
    return flows


def save(path: Path, flows: Iterable[http.HTTPFlow]) -> Path:
    with path.open("wb") as file:
        writer = FlowWriter(file)
        for flow in flows:
            writer.add(flow)
    return path
