"""What a turn leaves in its trace file."""

import json
from typing import Any

import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.e2e.proxy import POLL_SECONDS, Proxy
from tests.fakes.answers import Hang, Json, calls, says
from tests.fakes.chunks import USAGE
from tests.fakes.upstream import Upstream

SUFFIX = ".trace.ndjson"


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"actions": [HELLO], "last_user_message_readers": [{"name": "notes", "command": "cat"}]}


async def trace(proxy: Proxy, name: str) -> list[dict[str, Any]]:
    """The events of a trace, once it has been written; the caller's bound is that of the test."""
    path = anyio.Path(proxy.folder / "traces" / f"{name}{SUFFIX}")
    while not await path.exists():  # noqa: ASYNC110 - another process writes it
        await anyio.sleep(POLL_SECONDS)
    return [json.loads(line) for line in (await path.read_text()).splitlines()]


def trace_names(proxy: Proxy) -> set[str]:
    """The names of the traces that have been written."""
    return {path.name.removesuffix(SUFFIX) for path in (proxy.folder / "traces").glob(f"*{SUFFIX}")}


def of(type: str, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events of one type."""
    return [event for event in events if event["type"] == type]


@pytest.mark.contract("OW-24", "OW-26", "OW-27", "OW-28", "OW-38", "BX-06")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_turn_is_told_from_its_request_to_its_response(
    client: Client, proxy: Proxy, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(CALL_HELLO), says("Done."))
    answer = await client.chat(stream=stream)
    events = await trace(proxy, answer.headers["X-Werkzeugkoppler-Trace-Id"])
    assert events[0]["type"] == "trace_version" and all(event["at"].endswith("Z") for event in events)
    (request,), (response,) = of("proxy_request", events), of("proxy_response", events)
    assert (request["model"], request["stream"], request["tool_count"]) == ("fake-model", stream, 0)
    assert request["client_addr"].startswith("127.0.0.1")
    assert (response["status_code"], response["cancelled"]) == (200, False)
    assert response["bytes_written"] == len(answer.body) and response["duration_ms"] >= 0
    assert [(leg["leg"], leg["usage"]) for leg in of("leg", events)] == [(1, USAGE), (2, USAGE)]
    (call,), (result,) = of("tool_call", events), of("tool_result", events)
    assert (call["call_id"], call["name"], result["call_id"]) == (
        CALL_HELLO.id,
        CALL_HELLO.name,
        CALL_HELLO.id,
    )
    assert result["success"] is True


@pytest.mark.contract("OW-28")
async def test_a_turn_that_fails_is_told(client: Client, proxy: Proxy, upstream: Upstream) -> None:
    upstream.script(Json({"error": {"message": "no"}}, 400))
    answer = await client.chat()
    events = await trace(proxy, answer.headers["X-Werkzeugkoppler-Trace-Id"])
    (response,) = of("proxy_response", events)
    assert (response["status_code"], response["cancelled"]) == (400, False)


async def test_a_request_that_cannot_be_meant_is_told(client: Client, proxy: Proxy) -> None:
    answer = await client.send("POST", "/v1/chat/completions", b"{")
    events = await trace(proxy, answer.headers["X-Werkzeugkoppler-Trace-Id"])
    assert of("proxy_response", events)[0]["status_code"] == 400


@pytest.mark.contract("OW-29", "BX-05")
@pytest.mark.parametrize("begun", [False, True])
async def test_a_client_that_left_is_told(
    client: Client, proxy: Proxy, upstream: Upstream, begun: bool
) -> None:
    before = trace_names(proxy)
    if begun:
        upstream.script(says("Hel", anyio.Event()))
        async with client.streamed() as stream:
            await stream.until("Hel")
    else:
        upstream.script(Hang())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.chat)
            await upstream.chat()
            tasks.cancel_scope.cancel()
    while not (new := trace_names(proxy) - before):  # noqa: ASYNC110 - another process writes it
        await anyio.sleep(POLL_SECONDS)
    events = await trace(proxy, new.pop())
    assert of("proxy_response", events)[0]["cancelled"] is True


async def test_a_reader_is_told_by_its_name_and_size_alone(
    client: Client, proxy: Proxy, upstream: Upstream
) -> None:
    upstream.script(says("Hello."))
    answer = await client.chat("a secret question")
    events = await trace(proxy, answer.headers["X-Werkzeugkoppler-Trace-Id"])
    (reader,) = of("reader", events)
    assert (reader["name"], reader["success"], reader["bytes"]) == ("notes", True, 17)
    assert "secret" not in json.dumps(events)
