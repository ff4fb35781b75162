"""The flows of a turn stand together in mitmproxy's list, and name themselves."""

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from tests.e2e.client import Client
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.e2e.launch import SERVICE_KEY, Command
from tests.e2e.proxy import Proxy, running
from tests.fakes.answers import Json, calls, says
from tests.fakes.upstream import Upstream

MS = r"(?:\d+ ms|\d+\.\d s)"


@pytest.fixture(scope="module")
async def saved(
    shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[HTTPFlow]]:
    """The client's flows of some turns, as they were saved."""
    shared_upstream.reset()
    shared_upstream.script(calls(CALL_HELLO), says("A."), says("B."), Json({"error": {"code": "no"}}, 500))
    folder = tmp_path_factory.mktemp("names")
    command = Command(arguments=["-w", "x.flows"])
    async with running(folder, shared_upstream.url, {"actions": [HELLO]}, command) as proxy:
        await _talk(proxy)
    with (folder / "x.flows").open("rb") as file:
        flows = [flow for flow in FlowReader(file).stream() if isinstance(flow, HTTPFlow)]
    yield [flow for flow in flows if flow.metadata["werkzeugkoppler"]["kind"] == "client"]


async def _talk(proxy: Proxy) -> None:
    async with aiohttp.ClientSession(proxy.url) as session:
        client = Client(session, SERVICE_KEY)
        assert (await client.transcript()).text == "A."
        assert (await client.chat()).status == 200
        assert (await client.chat(stream=True)).status == 500
        assert (await Client(session, "wrong").chat()).status == 401


@pytest.mark.contract("BX-09")
@pytest.mark.parametrize(
    ("number", "comment"),
    [
        (0, "2 legs · 1 tool · stop · 18 tokens"),
        (1, "1 leg · stop · 9 tokens"),
        (2, "500"),
        (3, "401"),
    ],
    ids=["streamed", "plain", "upstream's error", "refused"],
)
async def test_a_saved_turn_names_itself(saved: list[HTTPFlow], number: int, comment: str) -> None:
    flows = [flow for flow in saved if flow.request.path != "/healthz"]
    turn = flows[number].metadata["werkzeugkoppler"]["turn"]
    assert re.fullmatch(rf"turn {turn[:6]} · {comment} · {MS}", flows[number].comment)
    assert flows[number].marked == (":speech_balloon:" if number < 2 else ":x:")
