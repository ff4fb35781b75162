"""The same under mitmweb: what a person sees there of a turn."""

import re
from pathlib import Path

import aiohttp
import anyio
import pytest

from tests.e2e.declared import CALL_HELLO, HELLO
from tests.e2e.launch import LAUNCHER, SERVICE_KEY, free_port, free_url, write_config
from tests.e2e.proxy import serving
from tests.e2e.web import looking
from tests.fakes.answers import calls, says
from tests.fakes.upstream import Upstream

SETTINGS = {"actions": [HELLO]}
MS = r"(\d+ ms|\d+\.\d s)"


@pytest.mark.contract("BX-09")
async def test_a_turns_flows_stand_together_and_name_themselves(upstream: Upstream, tmp_path: Path) -> None:
    gate = anyio.Event()
    upstream.script(calls(CALL_HELLO, text="Wait. "), says(gate, "Done."), says("Meanwhile."))
    async with looking(tmp_path, upstream.url, SETTINGS) as (proxy, web), web.client(proxy) as client:
        async with client.streamed() as stream, web.client(proxy) as other:
            await stream.until("Wait. ")
            await upstream.chat(2)
            assert (await other.chat("Another.")).status == 200
            gate.set()
            assert (await stream.rest()).text == "Done."
        flows = await web.turns()
    turn = flows[0]["comment"][5:11]
    assert [re.sub(MS, "MS", flow["comment"]) for flow in flows[:4]] == [
        f"turn {turn} · 2 legs · 1 tool · stop · 18 tokens · MS",
        f"leg 1 · tool_calls · 9 tokens · MS · turn {turn}",
        f"actions/hello · ok · 33 B · MS · leg 1 · turn {turn}",
        f"leg 2 · stop · 9 tokens · MS · turn {turn}",
    ]
    assert [flow["marked"] for flow in flows] == list("💬🤖🔧🤖💬🤖")


@pytest.mark.contract("BX-09")
async def test_a_turn_whose_client_left_says_so(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(says("Hel", anyio.Event(), "lo."))
    async with looking(tmp_path, upstream.url, {}) as (proxy, web), web.client(proxy) as client:
        async with client.streamed() as stream:
            await stream.until("Hel")
        await web.until(lambda flows: sum("cancelled" in flow["comment"] for flow in flows) == 2)
        assert [flow["marked"] for flow in await web.turns()] == list("❌❌")


async def test_the_start_says_where_it_listens_and_how_to_try_it(upstream: Upstream, tmp_path: Path) -> None:
    url = free_url()
    config = write_config(tmp_path, {"service_base_url": url, "upstream_base_url": upstream.url})
    async with serving(tmp_path, url, [*LAUNCHER, "--config", str(config)]) as proxy:
        await proxy.until_written("curl")
        assert url in proxy.output and upstream.url in proxy.output
        assert re.search(rf"curl .*{re.escape(url)}/v1/chat/completions", proxy.output)
        assert SERVICE_KEY not in proxy.output


async def test_the_start_names_mitmwebs_address_once_and_it_works(upstream: Upstream, tmp_path: Path) -> None:
    url, port = free_url(), free_port()
    config = write_config(tmp_path, {"service_base_url": url, "upstream_base_url": upstream.url})
    line = [*LAUNCHER, "web", "--config", str(config), "--", "--set", f"web_port={port}"]
    async with serving(tmp_path, url, line) as proxy, aiohttp.ClientSession() as browser:
        await proxy.until_written("curl")
        (address,) = re.findall(rf"http://127\.0\.0\.1:{port}\S*", proxy.output)
        async with browser.get(address) as page:
            assert page.status == 200
