"""What is found about the servers that the proxy talks to."""

import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.launch import free_port
from tests.fakes import mcp_stdio_server
from tests.fakes.answers import Json, Raw, says
from tests.fakes.upstream import Upstream
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.doctor.finding import Finding, Outcome
from werkzeugkoppler.doctor.services import chat, mcp_server, port, upstream

KEY = "sk-upstream-4711"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def server() -> AsyncIterator[Upstream]:
    async with Upstream.serving() as server:
        yield server


def settings(**fields: Any) -> Settings:
    return Settings.model_validate({"upstream_base_url": "demo", **fields})


async def asked(session: aiohttp.ClientSession, server: Upstream, **fields: Any) -> Finding:
    return await upstream(session, settings(upstream_base_url=server.url, **fields), "")


async def test_a_model_server_is_asked_for_its_models_with_the_key(
    session: aiohttp.ClientSession, server: Upstream
) -> None:
    finding = await asked(session, server, upstream_api_key=KEY)
    assert (finding.outcome, finding.seen) == (Outcome.OK, f"{server.url} has 1 model, such as fake-model")
    assert server.requests[0].header("authorization") == f"Bearer {KEY}"
    assert not server.chats


@pytest.mark.parametrize(
    ("answer", "outcome", "said"),
    [
        (Json({}, 401), Outcome.FAIL, "wants a key (401)"),
        (Json({}, 404), Outcome.WARN, "answers 404, with no list of models"),
        (Raw(200, (), b"<html>"), Outcome.WARN, "with no list of models"),
        (Json({"data": []}), Outcome.WARN, "has no model"),
    ],
)
async def test_a_model_server_that_gives_no_models_is_told_of(
    session: aiohttp.ClientSession, server: Upstream, answer: Any, outcome: Outcome, said: str
) -> None:
    server.models = answer
    finding = await asked(session, server)
    assert finding.outcome is outcome and said in finding.seen and finding.advice


async def test_a_refused_key_is_told_of_and_not_shown(
    session: aiohttp.ClientSession, server: Upstream
) -> None:
    server.models = Json({}, 403)
    finding = await asked(session, server, upstream_api_key=KEY)
    assert "refuses upstream_api_key (403)" in finding.seen
    assert KEY not in str(finding)


@pytest.mark.parametrize("key", ["upstream_default_model", "upstream_model"])
async def test_a_configured_model_that_is_not_there_is_told_of(
    session: aiohttp.ClientSession, server: Upstream, key: str
) -> None:
    finding = await asked(session, server, **{key: "other"})
    assert finding.outcome is Outcome.WARN and "other is none of them" in finding.seen
    assert finding.advice == f"mend {key}"


async def test_a_model_server_that_is_away_fails(session: aiohttp.ClientSession) -> None:
    away = settings(upstream_base_url=f"http://127.0.0.1:{free_port()}")
    finding = await upstream(session, away, "")
    assert finding.outcome is Outcome.FAIL and finding.advice.startswith("start it")


async def test_one_token_is_spent_where_that_is_wished(
    session: aiohttp.ClientSession, server: Upstream
) -> None:
    server.script(says("Hello."), Json({"error": "no"}, 500))
    wanted = settings(upstream_base_url=server.url)
    assert (await chat(session, wanted)).outcome is Outcome.OK
    assert (server.chats[0].json["model"], server.chats[0].json["max_tokens"]) == ("fake-model", 1)
    assert (await chat(session, wanted)).outcome is Outcome.FAIL


async def test_a_free_port_is_fine(session: aiohttp.ClientSession) -> None:
    free = settings(service_base_url=f"http://127.0.0.1:{free_port()}")
    assert (await port(session, free)).outcome is Outcome.OK


async def test_a_port_that_somebody_else_has_fails(session: aiohttp.ClientSession, server: Upstream) -> None:
    finding = await port(session, settings(service_base_url=server.url))
    assert finding.outcome is Outcome.FAIL
    assert finding.advice == "stop what has it, or set service_base_url to another port"


async def test_a_port_with_a_deaf_program_is_not_waited_for_long(server: Upstream) -> None:
    timeout = aiohttp.ClientTimeout(total=0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        taken = settings(service_base_url=f"http://127.0.0.1:{deaf.getsockname()[1]}")
        async with aiohttp.ClientSession(timeout=timeout) as session:
            assert (await port(session, taken)).outcome is Outcome.FAIL


async def mcp(tmp_path: Path, **fields: Any) -> Finding:
    program = {"transport": "stdio", "command": sys.executable, "args": [mcp_stdio_server.__file__]}
    entry = {"server_id": "files", **program, "connect_timeout_seconds": 10, **fields}
    (server,) = settings(mcp_servers=[entry]).mcp_servers
    return await mcp_server(server, tmp_path, {})


async def test_an_mcp_server_is_connected_to_and_its_tools_are_counted(tmp_path: Path) -> None:
    finding = await mcp(tmp_path)
    assert finding.outcome is Outcome.OK and "tools, in" in finding.seen
    one = await mcp(tmp_path, allowed_tools=["no-such-tool"])
    assert one.outcome is Outcome.WARN and one.seen.startswith("no tools")


async def test_an_mcp_server_that_does_not_connect_fails(tmp_path: Path) -> None:
    finding = await mcp(tmp_path, args=["-c", "pass"])
    assert finding.outcome is Outcome.FAIL and "after" in finding.seen
    missing = await mcp(tmp_path, command="no-such-program")
    assert missing.seen == "no-such-program is not found on the PATH"
