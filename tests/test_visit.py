"""What is held on behalf of a request is let go, and its line in the log is one line of text."""

import asyncio
from datetime import UTC, datetime

import pytest
from mitmproxy.test import taddons, tflow

from tests.endpoints.outlet import KeptOutlet
from werkzeugkoppler.drain import write_to_end
from werkzeugkoppler.endpoints.call import Outlet
from werkzeugkoppler.errors import Headers
from werkzeugkoppler.source import Source
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
