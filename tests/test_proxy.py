"""The hooks, where the order of events is too fine for a client to bring about."""

import asyncio
from dataclasses import replace
from pathlib import Path

import anyio
from mitmproxy.test import tflow

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.endpoints.call import Call, Outlet, Streamed
from werkzeugkoppler.errors import Headers
from werkzeugkoppler.proxy import Werkzeugkoppler


async def test_a_client_that_leaves_as_its_answer_is_found_leaves_nothing_parked(tmp_path: Path) -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # as mitmproxy's
    settings = Settings.model_validate(
        {"upstream_base_url": "demo", "traces": {"enabled": False}, "keep_flows": 0}
    )
    opened, flow = anyio.Event(), tflow.tflow()
    addon = Werkzeugkoppler(settings, lambda stack: opened.set(), str(tmp_path / "none"))
    flow.request.path, flow.request.method = "/v1/models", "GET"

    async def endpoint(call: Call) -> Streamed:
        turn = asyncio.current_task()
        assert turn is not None
        turn.add_done_callback(lambda _: addon.client_disconnected(flow.client_conn))
        await anyio.lowlevel.checkpoint()
        return Streamed(write)

    async def write(outlet: Outlet, headers: Headers) -> None:
        raise AssertionError("nobody is there")

    with anyio.fail_after(10):
        addon.running()
        await opened.wait()
        addon.requestheaders(flow)
        visit = addon._visits.get(flow)
        assert visit is not None and visit.route is not None
        visit.route = replace(visit.route, endpoint=endpoint)
        await addon.request(flow)
        assert addon._source._parked == {}
        await addon.done()
