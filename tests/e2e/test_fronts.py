"""The same under mitmweb: what a person sees there of a turn."""

import re
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.e2e.launch import LAUNCHER, SERVICE_KEY, free_port, free_url, write_config
from tests.e2e.proxy import serving
from tests.fakes.answers import calls, says
from tests.fakes.upstream import Upstream


@pytest.mark.contract("BX-09")
async def test_a_turns_flows_are_seen_in_mitmweb(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(calls(CALL_HELLO), says("Done."))
    url, web = free_url(), free_port()
    config = write_config(
        tmp_path, {"service_base_url": url, "upstream_base_url": upstream.url, "actions": [HELLO]}
    )
    web_options = ["--set", f"web_port={web}", "--set", "web_password=look"]
    line = [*LAUNCHER, "web", "--config", str(config), "--", *web_options]
    async with serving(tmp_path, url, line) as proxy, aiohttp.ClientSession() as browser:
        async with aiohttp.ClientSession(proxy.url) as session:
            assert (await Client(session, SERVICE_KEY).transcript()).text == "Done."
        async with browser.get(f"http://127.0.0.1:{web}/flows?token=look") as response:
            flows = await response.json()
        turn = [flow for flow in flows if flow["comment"]]
        assert len([flow for flow in turn if "leg" in flow["comment"]]) >= 3
        assert {flow["request"]["path"] for flow in turn} >= {"/v1/chat/completions", "/hello"}
        await browser.close()


async def test_the_start_says_where_it_listens_and_how_to_try_it(upstream: Upstream, tmp_path: Path) -> None:
    url = free_url()
    config = write_config(tmp_path, {"service_base_url": url, "upstream_base_url": upstream.url})
    async with serving(tmp_path, url, [*LAUNCHER, "--config", str(config)]) as proxy:
        await proxy.until_written("curl")
        assert url in proxy.output and upstream.url in proxy.output
        assert re.search(rf"curl .*{re.escape(url)}/v1/chat/completions", proxy.output)
        assert SERVICE_KEY not in proxy.output
