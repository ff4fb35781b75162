"""What is held on behalf of a request is let go, and its trace and its line in the log tell of its end."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from mitmproxy import http
from mitmproxy.test import taddons, tflow
from mitmproxy.utils.asyncio_utils import create_task

from tests.endpoints.outlet import KeptOutlet
from werkzeugkoppler.delivery import Delivery
from werkzeugkoppler.drain import GIVE_UP_SECONDS, Drain, write_to_end
from werkzeugkoppler.endpoints import routes
from werkzeugkoppler.endpoints.call import Outlet, Reply
from werkzeugkoppler.errors import Headers
from werkzeugkoppler.source import Source
from werkzeugkoppler.trace_writer import Keep, TraceWriter
from werkzeugkoppler.traces import SUFFIX
from werkzeugkoppler.visit import Visit, Visits


def visit_of(method: str = "GET", path: str = "/v1/models", visits: Visits | None = None) -> Visit:
    flow = tflow.tflow()
    flow.request.method, flow.request.path = method, path
    return (visits or Visits(Source())).receive(flow)


@pytest.mark.contract("OW-68")
@pytest.mark.parametrize(
    "method, path, shown",
    [
        ("GET", "/a\x1b[2Jb\nc", "GET /a?[2Jb?c"),
        ("GE\x1b[2JT", "/", "GE?[2JT /"),
        ("GET", "/ü", "GET /\\xc3\\xbc"),
    ],
)
def test_a_line_moves_no_cursor(method: str, path: str, shown: str) -> None:
    line = visit_of(method, path).line(200, 5, datetime.fromtimestamp(0, UTC))
    assert line == f"1970-01-01T00:00:00.000+00:00 127.0.0.1:22 {shown} 200 5ms"


async def test_an_answer_that_nobody_pulls_is_forgotten_with_its_request() -> None:
    async def answer(outlet: Outlet) -> None: ...

    source = Source()
    visits = Visits(source)
    visit = visit_of(visits=visits)
    visit.parked = source.park(answer)
    with taddons.context():
        visits.leave(visit.link.client_conn)
    assert not source._parked and visit.is_over


@pytest.mark.parametrize("is_over", [False, True])
async def test_only_a_client_that_waits_is_told_that_its_answer_is_broken_off(is_over: bool) -> None:
    async def write(outlet: Outlet, headers: Headers) -> None:
        raise asyncio.CancelledError

    visit, outlet = visit_of(), KeptOutlet()
    visit.is_broken_off, visit.is_over = True, is_over
    try:
        await write_to_end(visit, outlet, write)
    except asyncio.CancelledError:
        assert is_over
    assert (b"stopping" in outlet.body) is not is_over


BOUND_SECONDS = 5
"""For anything that could hang."""


class Scene:
    """A client's request, and a streamed answer to it that mitmproxy pulls."""

    def __init__(self, source: Source) -> None:
        self.visits = Visits(source)
        self.flow: http.HTTPFlow = tflow.tflow()
        self.visit: Visit = self.visits.receive(self.flow)
        self.visit.route = routes.find("GET", "/v1/models")
        self._delivery = Delivery(source, self.visits)
        self._port = source.port

    @asynccontextmanager
    async def streaming(self) -> AsyncIterator[asyncio.StreamReader]:
        """An answer that has begun, with what mitmproxy gets of it; it does not end by itself."""

        async def write(outlet: Outlet, headers: Headers) -> None:
            outlet.start(200, ())
            await outlet.write(b"hello")
            await anyio.sleep_forever()

        self._delivery.stream(self.flow, self.visit, write)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(f"POST {self.visit.parked} HTTP/1.1\r\ncontent-length: 0\r\n\r\n".encode())
        await reader.readuntil(b"hello\r\n")
        yield reader
        writer.close()

    @property
    def response(self) -> dict[str, Any]:
        """The event of the trace that tells of the end."""
        return next(event for event in self.visit.trace.events if event["type"] == "proxy_response")


def last_written(folder: Path) -> dict[str, Any]:
    """The last event of the only trace."""
    (file,) = folder.iterdir()
    event: dict[str, Any] = json.loads(file.read_text().splitlines()[-1])
    return event


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    source = Source()
    await source.open()
    with anyio.fail_after(BOUND_SECONDS):
        yield Scene(source)
    source.close()


@pytest.mark.contract("BX-05")
async def test_what_a_client_got_that_left_in_the_middle_is_counted(scene: Scene) -> None:
    async with scene.streaming():
        scene.visits.leave(scene.flow.client_conn)
    assert scene.response["bytes_written"] == len("hello")
    assert (scene.response["cancelled"], scene.response["cancelled_by"]) == (True, "client_left")


@pytest.mark.contract("OW-69")
async def test_an_answer_that_a_stop_broke_off_was_cancelled_by_it(scene: Scene) -> None:
    async with scene.streaming() as reader:
        scene.visit.break_off()
        told = await reader.readuntil(b"0\r\n\r\n")
        scene.flow.response = http.Response.make(200)  # as mitmproxy has streamed it
        scene.visits.end(scene.visit, scene.flow)
    assert b'"stopping"' in told
    assert (scene.response["cancelled"], scene.response["cancelled_by"]) == (True, "shutdown")
    assert scene.response["status_code"] == 200 and scene.response["bytes_written"] > len("hello")


@pytest.mark.contract("OW-69")
async def test_what_a_forced_end_broke_off_has_its_end_in_its_trace(scene: Scene, tmp_path: Path) -> None:
    scene.visits.traces = TraceWriter(tmp_path, Keep())
    scene.visits.traces.open()
    scene.visits.let_in(scene.visit)
    Drain(scene.visits).give_up()
    last = last_written(tmp_path)
    assert (last["type"], last["cancelled_by"]) == ("proxy_response", "shutdown")


async def test_a_forced_end_waits_for_no_disk_that_is_stuck(scene: Scene, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"{scene.visit.trace.id}{SUFFIX}")  # nobody reads it
    scene.visits.traces = TraceWriter(tmp_path, Keep())
    scene.visits.traces.open()
    scene.visits.let_in(scene.visit)
    began = time.monotonic()
    Drain(scene.visits).give_up()
    assert time.monotonic() - began < 2 * GIVE_UP_SECONDS
    os.close(os.open(tmp_path / f"{scene.visit.trace.id}{SUFFIX}", os.O_RDONLY | os.O_NONBLOCK))


@pytest.mark.contract("OW-69")
async def test_an_answer_that_has_ended_is_not_broken_off(scene: Scene) -> None:
    async def answer() -> Reply:
        return Reply(200, (), b"")

    scene.visit.task = create_task(answer(), name="turn", keep_ref=True)
    await scene.visit.task
    scene.visit.break_off()
    scene.flow.response = http.Response.make(200, b"Hello.")
    scene.visits.end(scene.visit, scene.flow)
    assert scene.response["cancelled"] is False and scene.response["bytes_written"] == len("Hello.")
