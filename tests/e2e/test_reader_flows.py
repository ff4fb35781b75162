"""Each run of a reader is a flow: there to be seen, and what is done to it counts."""

import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from tests.e2e.client import Client
from tests.e2e.launch import SERVICE_KEY, Command
from tests.e2e.proxy import running
from tests.fakes.answers import says
from tests.fakes.upstream import Upstream

SCRIPT = Path(__file__).parent / "scripts" / "meddler.py"


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {
        "init_messages": [{"role": "system", "content": "<{last_user_message_reader_result:My notes}>"}],
        "last_user_message_readers": [{"name": "My notes", "command": "cat"}],
    }


@pytest.fixture(scope="module")
def command() -> Command:
    return Command(arguments=["-s", str(SCRIPT)])


@pytest.mark.contract("BX-10")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is ä, please edit reader", "<It is ä, edited>"),
        ("please edit the reader's answer", "<edited afterwards>"),
        ("please kill reader", "<>"),
    ],
)
async def test_what_is_done_to_a_readers_flow_counts(
    client: Client, upstream: Upstream, text: str, found: str
) -> None:
    upstream.script(says("Hello."))
    assert (await client.chat(text)).status == 200
    messages = upstream.chats[0].json["messages"]
    assert [message["content"] for message in messages] == [found, text]


@pytest.mark.contract("BX-09")
async def test_a_readers_flow_is_the_message_and_what_it_found(
    upstream: Upstream, settings: dict[str, Any], tmp_path: Path
) -> None:
    upstream.script(says("Hello."))
    command = Command(arguments=["-w", "flows.mitm"])
    async with running(tmp_path, upstream.url, settings, command) as proxy:
        async with aiohttp.ClientSession(proxy.url) as session:
            answer = await Client(session, SERVICE_KEY).chat("ä?")
    with (tmp_path / "flows.mitm").open("rb") as file:
        flows = [flow for flow in FlowReader(file).stream() if isinstance(flow, HTTPFlow)]
    (flow,) = [flow for flow in flows if "reader" in flow.request.host]
    assert flow.request.url == "http://my-notes.reader/"
    assert (flow.request.text, flow.response and flow.response.text) == ("ä?", "ä?")
    turn = answer.headers["X-Werkzeugkoppler-Trace-Id"]
    assert re.fullmatch(rf"reader My notes · ok · 3 B · \d+ ms · turn {turn[:6]}", flow.comment)
    assert flow.metadata["werkzeugkoppler"].items() >= {"turn": turn, "kind": "reader", "leg": 0}.items()
