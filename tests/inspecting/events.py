"""Traces for the tests of what shows them: a turn with a reader, two legs and two tools, and a refusal."""

import json
from pathlib import Path
from typing import Any, Final

from werkzeugkoppler.inspecting.facts import Facts, facts_of
from werkzeugkoppler.inspecting.reading import Event
from werkzeugkoppler.traces import SUFFIX

ID: Final = "a1b2c3d4e5f60718"
USAGE: Final = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 60},
    "completion_tokens_details": {"reasoning_tokens": 5},
}


def event(type: str, ms: int = 0, **fields: Any) -> Event:
    """An event so many ms after noon."""
    return {"type": type, **fields, "at": f"2026-11-21T12:00:{ms // 1000:02}.{ms % 1000:03}Z"}


HEAD: Final = event("trace_version", version=1, id=ID)
REQUEST: Final = event(
    "proxy_request", request_id=ID, client_addr="127.0.0.1:5000", model="small", stream=True, tool_count=2
)
TURN: Final = [
    HEAD,
    REQUEST,
    event("reader", 100, name="notes", success=True, bytes=40, duration_ms=90),
    event("leg_request", 110, leg=1, bytes=500),
    event("leg", 610, leg=1, model="small-0815", finish_reason="tool_calls", usage=USAGE, duration_ms=500)
    | {"first_byte_ms": 20, "first_delta_ms": 300},
    event("tool_call", 610, call_id="c1", name="files__read", leg=1, bytes=12),
    event("tool_call", 611, call_id="c2", name="actions__df", leg=1, bytes=2),
    event("tool_result", 700, call_id="c2", name="actions__df", success=False, bytes=7, duration_ms=89),
    event("tool_result", 900, call_id="c1", name="files__read", success=True, bytes=2100, duration_ms=290),
    event("leg_request", 900, leg=2, bytes=3000),
    event("leg", 1900, leg=2, model="small-0815", finish_reason="stop", usage=USAGE, duration_ms=1000),
    event("proxy_response", 1900, status_code=200, duration_ms=1900, bytes_written=4321, keepalives=1)
    | {"cancelled": False},
]
REFUSED: Final = [
    HEAD,
    event("proxy_request", request_id=ID, client_addr="10.0.0.1:9", method="GET", path="/nope"),
    event("error", status_code=401, code="missing_authorization"),
    event("proxy_response", 1, status_code=401, duration_ms=1, bytes_written=99, cancelled=False),
]


def facts(*events: Event) -> Facts:
    """The facts of a trace."""
    return facts_of(ID, events)


def write(folder: Path, *events: Event, id: str = ID) -> Path:
    """Put events at the end of a trace's file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{id}{SUFFIX}"
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)
    return path
