"""A streaming client sees that a tool is at work, and what it says meanwhile."""

import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import Client, Stream
from tests.e2e.launch import SERVICE_KEY
from tests.e2e.proxy import running
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.lifelines import Lifelines
from tests.fakes.upstream import Upstream

FAKES = Path(__file__).parents[1] / "fakes"
SLOW = Call("fake__slow", '{"seconds": 0}', "call_1")


def talker(lifelines: Lifelines, name: str, script: str) -> dict[str, Any]:
    """An action that says something and then holds on until it is let go."""
    hold = lifelines.action(name)
    line = " ".join(["exec", hold["command"], *hold["arguments"]])
    return hold | {"command": "/bin/sh", "arguments": ["-c", f"{script}; {line}"]}


@pytest.fixture(scope="module")
def settings(lifelines: Lifelines) -> dict[str, Any]:
    server = {"transport": "stdio", "command": sys.executable, "args": [str(FAKES / "mcp_stdio_server.py")]}
    return {
        "actions": [
            talker(lifelines, "build", r"echo one; printf '\033[1mtwo\033[0m\n' >&2; printf 'gr\303\274n\n'"),
            talker(lifelines, "flood", "seq 1 20000"),
        ],
        "mcp_servers": [{"server_id": "fake", **server}],
        "stream_keepalive_seconds": 0.1,
    }


async def said(stream: Stream, text: str) -> str:
    """The reasoning until a text stands in it."""
    reasoning = ""
    while text not in reasoning:
        for choice in (await stream.chunk())["choices"]:
            reasoning += choice["delta"].get("reasoning_content") or ""
    return reasoning


@pytest.mark.contract("BX-08")
async def test_the_lines_of_a_command_are_seen_while_it_runs(
    client: Client, upstream: Upstream, lifelines: Lifelines
) -> None:
    upstream.script(calls(Call("actions__build")), says("Done."))
    async with client.streamed() as stream:
        shown = await said(stream, "grün")
        assert {f"==> actions__build: {line}" for line in ("one", "two", "grün")} <= set(shown.splitlines())
        await lifelines.running(1)
        await lifelines.let_go()
        rest = await stream.rest()
    assert (rest.text, rest.finishes) == ("Done.", ["stop"])
    assert '==> tool result `["one","grün","let go"]`' in rest.joined("reasoning_content")


@pytest.mark.contract("BX-08")
async def test_of_a_flood_the_latest_lines_are_seen_and_how_many_there_were(
    client: Client, upstream: Upstream, lifelines: Lifelines
) -> None:
    upstream.script(calls(Call("actions__flood")), says("Done."))
    async with client.streamed() as stream:
        shown = await said(stream, "more)")
        await lifelines.running(1)
        await lifelines.let_go()
        await stream.rest()
    assert shown.count("==> actions__flood: ") < 20


@pytest.mark.contract("BX-08")
async def test_the_progress_of_an_mcp_server_is_seen(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(SLOW), says("Done."))
    transcript = await client.transcript()
    assert "==> fake__slow: 1/2 half done\n" in transcript.joined("reasoning_content")
    assert (transcript.text, transcript.roles, transcript.done) == ("Done.", ["assistant"], 1)


@pytest.mark.contract("BX-08")
async def test_a_plain_answer_shows_nothing_of_it(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(SLOW), says("Done."))
    (choice,) = (await client.chat()).json["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Done.", "refusal": None}


@pytest.mark.contract("BX-08", "WK-132")
async def test_where_the_trace_is_off_nothing_is_seen(
    upstream: Upstream, settings: dict[str, Any], tmp_path: Path
) -> None:
    off = {"mcp_servers": settings["mcp_servers"], "tool_trace": "off"}
    async with running(tmp_path, upstream.url, off) as proxy, aiohttp.ClientSession(proxy.url) as session:
        upstream.script(calls(SLOW), says("Done."))
        transcript = await Client(session, SERVICE_KEY).transcript()
    assert (transcript.joined("reasoning_content"), transcript.text) == ("", "Done.")
