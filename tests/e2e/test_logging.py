"""The log of a running proxy: its form, its level, and what of the bodies it shows."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.e2e.launch import SERVICE_KEY, UPSTREAM_KEY, Command
from tests.e2e.proxy import running
from tests.e2e.rewrite import reload
from tests.fakes.answers import Json, calls, says
from tests.fakes.upstream import Upstream

CONNECTIONS = "mitmproxy.proxy.server"
"""The logger of a library that tells of each connection."""


def records(output: str) -> list[dict[str, Any]]:
    """The whole lines of an output, each of which is JSON."""
    lines = [json.loads(line) for line in output[: output.rfind("\n") + 1].splitlines()]
    assert all({"timestamp", "level", "logger", "message"} <= line.keys() for line in lines)
    return lines


@pytest.mark.contract("WK-25")
async def test_each_line_is_json_where_that_is_asked_for(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(calls(CALL_HELLO), says("Done."), Json([]))
    settings = {"logging": {"json": True}, "actions": [HELLO], "service_api_key": None}
    async with running(tmp_path, upstream.url, settings) as proxy:
        await proxy.until_written("is ready")
        async with aiohttp.ClientSession(proxy.url) as session:
            await Client(session).chat()
            await Client(session).chat()
        (tmp_path / "config.yaml").write_text("nonsense: 1", encoding="utf-8")
        await proxy.until_written("reload failed")
    told = records(proxy.output)
    assert {line["level"] for line in told} >= {"INFO", "WARNING"}
    assert any("service_api_key" in line["message"] for line in told)
    assert any(line["logger"] == "werkzeugkoppler.reload" and "\n" in line["message"] for line in told)


@pytest.mark.contract("WK-25")
@pytest.mark.parametrize("plain", [False, True], ids=["launcher", "mitmdump"])
async def test_the_form_of_the_lines_follows_the_file_and_the_variable_wins(
    upstream: Upstream, tmp_path: Path, plain: bool
) -> None:
    async with running(tmp_path, upstream.url, {}, Command(plain=plain)) as proxy:
        await reload(proxy, logging={"json": True})
        as_json = await reload(proxy, max_tool_loops=2)
        assert [line["message"] for line in records(as_json)] == ["Configuration reloaded: max_tool_loops"]
        as_text = await reload(proxy, logging={"json": False})
        assert "] INFO werkzeugkoppler.reload: Configuration reloaded: logging\n" in as_text
    command = Command(environ={"WERKZEUGKOPPLER_LOG_JSON": "on"}, plain=plain)
    async with running(tmp_path, upstream.url, {"logging": {"json": False}}, command) as proxy:
        records(await reload(proxy, max_tool_loops=3))


@pytest.mark.contract("WK-26")
async def test_the_levels_of_libraries_follow_a_reload(upstream: Upstream, tmp_path: Path) -> None:
    async with running(tmp_path, upstream.url, {"logging": {"json": True}}) as proxy:
        for level, is_told in (("DEBUG", True), ("INFO", False)):
            await reload(proxy, logging={"json": True, "level": level})
            before = len(records(proxy.output))
            async with aiohttp.ClientSession(proxy.url) as session:
                await Client(session, SERVICE_KEY).get("/v1/models")
            await reload(proxy, max_tool_loops=len(level))
            loggers = {line["logger"] for line in records(proxy.output)[before:]}
            assert (CONNECTIONS in loggers) is is_told


@pytest.mark.contract("WK-154")
async def test_bodies_are_told_at_debug_cut_and_without_keys(upstream: Upstream, tmp_path: Path) -> None:
    keys = f"{SERVICE_KEY} {UPSTREAM_KEY}"
    upstream.script(calls(CALL_HELLO), says("A secret of the model."), says("Unheard."))
    settings = {"logging": {"json": True, "level": "DEBUG"}, "actions": [HELLO]}
    async with running(tmp_path, upstream.url, settings) as proxy:
        async with aiohttp.ClientSession(proxy.url) as session:
            client = Client(session, SERVICE_KEY)
            await client.transcript(f"{keys} and {'long ' * 4000}")
            await reload(proxy, logging={"json": True, "level": "INFO"})
            told = [line for line in records(proxy.output) if line["logger"] == "werkzeugkoppler.payload"]
            before = len(proxy.output)
            await client.chat("Not told.")
    messages = [line["message"] for line in told]
    assert max(map(len, messages)) < 8200 and any(" left out ... " in text for text in messages)
    for part in ("client · turn", "leg 1 · turn", "leg 2 · turn", "actions/hello · leg 1", "secret of the"):
        assert any(part in text for text in messages)
    assert not any(key in proxy.output for key in keys.split())
    assert "Not told." not in proxy.output[before:] and "Unheard." not in proxy.output
