"""The trace files that a proxy writes, as the tests read them."""

import json
from typing import Any

import anyio

from tests.e2e.proxy import POLL_SECONDS, Proxy
from werkzeugkoppler.traces import REFUSED, SUFFIX

type Event = dict[str, Any]

TRACE_HEADER = "X-Werkzeugkoppler-Trace-Id"


async def trace(proxy: Proxy, name: str, until: str = "proxy_response") -> list[Event]:
    """The events of a trace, once there is one of a type; the caller's bound is that of the test."""
    while not of(until, events := read(proxy, name)):  # noqa: ASYNC110 - another process writes it
        await anyio.sleep(POLL_SECONDS)
    return events


def read(proxy: Proxy, name: str) -> list[Event]:
    """The events that a trace has so far."""
    folder = proxy.folder / "traces"
    paths = [folder / f"{name}{SUFFIX}", folder / REFUSED / f"{name}{SUFFIX}"]
    return [json.loads(line) for path in paths if path.exists() for line in path.read_text().splitlines()]


def trace_names(proxy: Proxy) -> set[str]:
    """The names of the traces that are there."""
    return {path.name.removesuffix(SUFFIX) for path in (proxy.folder / "traces").rglob(f"*{SUFFIX}")}


def of(type: str, events: list[Event]) -> list[Event]:
    """The events of one type."""
    return [event for event in events if event["type"] == type]
