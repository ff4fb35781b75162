"""Flows that are loaded from a file are what the file says they are."""

import pytest
from mitmproxy.addons.view import View
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.test.tflow import tflow

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.labels import Link
from werkzeugkoppler.launched import with_addon
from werkzeugkoppler.options import DEAD_END
from werkzeugkoppler.proxy import Werkzeugkoppler


@pytest.fixture
async def master() -> Master:
    addon = Werkzeugkoppler(Settings(upstream_base_url="http://127.0.0.1:9"))
    launched: Master = with_addon(Master, addon)(Options(mode=[f"reverse:{DEAD_END}"]))
    launched.addons.add(View())
    return launched


@pytest.mark.contract("BX-09")
async def test_a_loaded_flow_keeps_its_address(master: Master) -> None:
    flow = tflow(resp=True)
    flow.live = False
    before = flow.request.get_state()
    await master.load_flow(flow)
    assert flow.request.get_state() == before
    assert master.addons.get("view").store_count() == 1


@pytest.mark.contract("BX-09")
async def test_the_flows_of_a_turn_are_listed_in_their_order_whatever_that_of_the_file(
    master: Master,
) -> None:
    link = Link(tflow().client_conn, "1a2b3c4d", began=1_763_730_000.123456)
    flows = {label: tflow(resp=True) for label in ("client", "leg 1", "search/find", "leg 2")}
    for kind, (label, flow) in zip(("client", "leg", "tool", "leg"), flows.items(), strict=True):
        flow.live = False
        link.mark(flow, kind, label)
    for label in ("leg 1", "search/find", "leg 2", "client"):  # as they ended
        await master.load_flow(flows[label])
    listed = list(master.addons.get("view"))
    assert [flow.metadata["werkzeugkoppler"]["label"] for flow in listed] == list(flows)
    created = [flow.timestamp_created for flow in listed]
    assert created[0] == link.began and created[-1] - created[0] < 0.001, "they stand together"
