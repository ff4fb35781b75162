"""An upstream that cannot be reached, or falls silent."""

from pathlib import Path

import aiohttp
import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import NOWHERE, SERVICE_KEY
from tests.e2e.proxy import running
from tests.fakes.answers import Hang, Sse, says
from tests.fakes.chunks import chunk
from tests.fakes.upstream import Upstream


@pytest.mark.contract("OW-51")
async def test_an_upstream_that_is_down_is_a_502_and_told_in_the_health(tmp_path: Path) -> None:
    async with running(tmp_path, NOWHERE, {}) as proxy, aiohttp.ClientSession(proxy.url) as session:
        client = Client(session, SERVICE_KEY)
        for answer in (await client.chat(), await client.chat(stream=True)):
            assert (answer.status, answer.error["code"]) == (502, "upstream_error")
            assert NOWHERE in answer.error["message"]
        (entry,) = (await client.get("/healthz")).json["upstreams"]
        assert entry["ok"] is False and entry["error"]


@pytest.mark.contract("OW-51", "OW-50")
async def test_an_upstream_that_falls_silent_is_given_up(upstream: Upstream, tmp_path: Path) -> None:
    settings = {"upstream_read_timeout_seconds": 0.3}
    async with (
        running(tmp_path, upstream.url, settings) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
    ):
        client = Client(session, SERVICE_KEY)
        upstream.script(Hang(), Hang(), Sse([chunk({"content": "Hel"}), anyio.Event()]), says("Hello."))
        for stream in (False, True):
            answer = await client.chat(stream=stream)
            assert answer.status in (502, 504) and answer.error["code"] == "upstream_error"
        transcript = await client.transcript()
        assert (transcript.text, len(transcript.errors), transcript.done) == ("Hel", 1, 1)
        assert (await client.chat()).status == 200


@pytest.mark.contract("WK-127")
async def test_no_comments_come_where_they_are_switched_off(upstream: Upstream, tmp_path: Path) -> None:
    """The silence is ended by the read timeout, so that its length is known."""
    settings = {"upstream_read_timeout_seconds": 1.5, "stream_keepalive_seconds": 0}
    async with (
        running(tmp_path, upstream.url, settings) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
    ):
        upstream.script(Sse([chunk({"content": "Hel"}), anyio.Event()]))
        transcript = await Client(session, SERVICE_KEY).transcript()
    assert (transcript.comments, len(transcript.errors)) == (0, 1)
