"""The hooks, where the order of events is too fine for a client to bring about."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from mitmproxy import http
from mitmproxy.flow import Error
from mitmproxy.test import taddons, tflow

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.endpoints.call import Call, Outlet, Reply, Streamed
from werkzeugkoppler.errors import Headers
from werkzeugkoppler.labels import METADATA
from werkzeugkoppler.proxy import Werkzeugkoppler

LEG = {"turn": "1a2b3c", "kind": "leg", "leg": 1, "label": "leg 1"}


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Werkzeugkoppler]:
    """The addon at work, without an upstream and without mitmproxy."""
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # as mitmproxy's
    settings = Settings.model_validate(
        {"upstream_base_url": "demo", "traces": {"enabled": False}, "keep_flows": 0}
    )
    opened = anyio.Event()
    addon = Werkzeugkoppler(settings, lambda stack: opened.set(), str(folder / "none"))
    with anyio.fail_after(10):
        addon.running()
        await opened.wait()
        yield addon
        await addon.done()


def leg(is_replay: str | None = "request") -> http.HTTPFlow:
    """The flow of a leg."""
    flow = tflow.tflow()
    flow.metadata[METADATA], flow.is_replay = dict(LEG), is_replay
    del flow.request.headers["content-length"]
    return flow


@pytest.mark.contract("BX-10")
async def test_what_is_done_again_at_the_end_is_broken_off_and_mitmproxy_does_not_do_it_either(
    tmp_path: Path,
) -> None:
    flow = leg()

    async def hang(call: Call) -> Reply:
        await anyio.sleep_forever()
        raise AssertionError("not reached")

    async with serving(tmp_path) as addon:
        with taddons.context(addon):
            addon.requestheaders(flow)
            visit = addon._visits.get(flow)
            assert visit is not None and visit.route is not None
            visit.route = replace(visit.route, endpoint=hang)
            async with anyio.create_task_group() as group:
                group.start_soon(addon.request, flow)
                await anyio.wait_all_tasks_blocked()
                addon._visits.end_all()
    assert flow.response is None and flow.error is not None and flow.error.msg == Error.KILLED_MESSAGE


@pytest.mark.contract("BX-10")
async def test_a_part_of_a_turn_that_is_no_replay_is_refused(tmp_path: Path) -> None:
    flow = leg(is_replay=None)
    async with serving(tmp_path) as addon:
        addon.requestheaders(flow)
        addon.response(flow)
        visit = addon._visits.get(flow)
    assert flow.response is not None and flow.response.status_code == 409
    assert visit is not None
    told = [event["type"] for event in visit.trace.events]
    assert told == ["trace_version", "proxy_request", "error", "proxy_response"]


async def test_a_client_that_leaves_as_its_answer_is_found_leaves_nothing_parked(tmp_path: Path) -> None:
    flow = tflow.tflow()
    flow.request.path, flow.request.method = "/v1/models", "GET"

    async def endpoint(call: Call) -> Streamed:
        turn = asyncio.current_task()
        assert turn is not None
        turn.add_done_callback(lambda _: addon.client_disconnected(flow.client_conn))
        await anyio.lowlevel.checkpoint()
        return Streamed(write)

    async def write(outlet: Outlet, headers: Headers) -> None:
        raise AssertionError("nobody is there")

    async with serving(tmp_path) as addon:
        addon.requestheaders(flow)
        visit = addon._visits.get(flow)
        assert visit is not None and visit.route is not None
        visit.route = replace(visit.route, endpoint=endpoint)
        await addon.request(flow)
        assert addon._source._parked == {}
