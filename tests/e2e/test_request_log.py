"""A line on stderr for each request, where that is asked for."""

import re
from pathlib import Path

import aiohttp
import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import LAUNCHER, SERVICE_KEY, Command, free_url, write_config
from tests.e2e.proxy import running, serving
from tests.fakes.answers import Hang, says
from tests.fakes.upstream import Upstream

LINE = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 127\.0\.0\.1:\d+ (.+) (\d{3}|-) (\d+)ms$", re.MULTILINE
)


@pytest.mark.contract("OW-68")
async def test_each_request_has_a_line_with_its_status_and_its_time(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(says("Hello."), says("Hello."), Hang())
    url = free_url()
    config = write_config(tmp_path, {"service_base_url": url, "upstream_base_url": upstream.url})
    line = [*LAUNCHER, "--config", str(config), "--log-requests"]
    async with serving(tmp_path, url, line) as proxy, aiohttp.ClientSession(proxy.url) as session:
        client = Client(session, SERVICE_KEY)
        await client.chat()
        await client.chat(stream=True)
        await client.get("/v1/nothing?key=sk-in-a-query")
        await Client(session).get("/v1/models")
        with anyio.move_on_after(0.5):
            await client.chat("Who leaves?")
        with anyio.fail_after(5):
            await proxy.until_written("completions - ")
        found = [(match[1], match[2]) for match in LINE.finditer(proxy.output)]
        assert "sk-in-a-query" not in "".join(match[0] for match in LINE.finditer(proxy.output))
    chats = [("POST /v1/chat/completions", status) for status in ("200", "200", "-")]
    others = [("GET /v1/nothing", "404"), ("GET /v1/models", "401")]
    assert [entry for entry in found if "/healthz" not in entry[0]] == [*chats[:2], *others, chats[2]]


@pytest.mark.contract("OW-68")
async def test_no_request_has_a_line_where_that_is_not_asked_for(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(says("Hello."))
    async with running(tmp_path, upstream.url, {}, Command()) as proxy:
        async with aiohttp.ClientSession(proxy.url) as session:
            await Client(session, SERVICE_KEY).chat()
        assert not LINE.search(proxy.output)
