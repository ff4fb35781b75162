"""Under mitmweb the flows of old turns are taken out, so that its memory stays flat."""

from pathlib import Path

import pytest

from tests.e2e.client import Client
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.e2e.rewrite import reload
from tests.e2e.web import Flow, Web, looking
from tests.fakes.answers import calls, says
from tests.fakes.upstream import Upstream


async def chat(client: Client, upstream: Upstream, times: int = 1) -> None:
    for _ in range(times):
        upstream.script(says("Hello."))
        assert (await client.chat()).status == 200


async def turns(web: Web) -> list[str]:
    """The ids of the turns in the view, one for each flow."""
    return [flow["comment"].partition("turn ")[2][:6] for flow in await web.turns()]


@pytest.mark.contract("BX-09")
async def test_the_oldest_turns_are_taken_out_whole(upstream: Upstream, tmp_path: Path) -> None:
    settings = {"keep_flows": 5, "actions": [HELLO]}
    async with looking(tmp_path, upstream.url, settings) as (proxy, web), web.client(proxy) as client:
        upstream.script(calls(CALL_HELLO), says("Done."))
        assert (await client.transcript()).text == "Done."
        await chat(client, upstream, 4)
        await web.until(lambda flows: len(flows) <= 6)  # the last may not be over for mitmproxy yet
        flows = await turns(web)
        assert all(flows.count(turn) == 2 for turn in flows)


@pytest.mark.contract("BX-09")
async def test_what_is_held_or_marked_by_the_user_stays(upstream: Upstream, tmp_path: Path) -> None:
    async with (
        looking(tmp_path, upstream.url, {"keep_flows": 2}) as (proxy, web),
        web.client(proxy) as client,
    ):
        await chat(client, upstream)
        marked = (await web.turns())[1]
        await web.change(marked, marked=":star:")
        await chat(client, upstream, 4)
        flows = await web.until(lambda flows: len(flows) <= 4)
        assert marked["id"] in [flow["id"] for flow in flows]
        assert flows[1]["marked"] == "⭐" and flows[0]["comment"].startswith("turn ")


async def test_the_limit_follows_the_file(upstream: Upstream, tmp_path: Path) -> None:
    def is_short(flows: list[Flow]) -> bool:
        return len(flows) <= 4

    async with (
        looking(tmp_path, upstream.url, {"keep_flows": 0}) as (proxy, web),
        web.client(proxy) as client,
    ):
        await chat(client, upstream, 5)
        assert len(await web.turns()) == 10
        await reload(proxy, keep_flows=3)
        await chat(client, upstream)
        await web.until(is_short)
