"""What a turn leaves in its trace file."""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from tests.e2e.client import CHAT_PATH, Client, question
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.e2e.launch import SERVICE_KEY, Command
from tests.e2e.proxy import POLL_SECONDS, Proxy
from tests.e2e.trace_files import TRACE_HEADER, of, read, trace, trace_names
from tests.fakes.answers import Hang, Json, Sse, calls, says
from tests.fakes.chunks import USAGE, Call, chunk, text_chunks
from tests.fakes.lifelines import Lifelines
from tests.fakes.upstream import Upstream


@pytest.fixture(scope="module")
def settings(lifelines: Lifelines) -> dict[str, Any]:
    return {
        "actions": [HELLO, lifelines.action("hold")],
        "max_request_bytes": 100_000,
        "stream_keepalive_seconds": 0.1,
        "last_user_message_readers": [{"name": "notes", "command": "cat"}],
    }


@pytest.mark.contract("OW-24", "OW-26", "OW-27", "OW-37", "OW-28", "OW-38", "BX-06")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_turn_is_told_from_its_request_to_its_response(
    client: Client, proxy: Proxy, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(CALL_HELLO), says("Done."))
    answer = await client.chat(stream=stream)
    events = await trace(proxy, answer.headers[TRACE_HEADER])
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
    assert result["success"] is True and result["bytes"] > 0


@pytest.mark.contract("OW-28")
async def test_a_turn_that_fails_is_told(client: Client, proxy: Proxy, upstream: Upstream) -> None:
    upstream.script(Json({"error": {"message": "no"}}, 400))
    answer = await client.chat()
    events = await trace(proxy, answer.headers[TRACE_HEADER])
    (response,) = of("proxy_response", events)
    assert (response["status_code"], response["cancelled"]) == (400, False)


async def test_a_request_that_cannot_be_meant_is_told(client: Client, proxy: Proxy) -> None:
    answer = await client.send("POST", "/v1/chat/completions", b"{")
    events = await trace(proxy, answer.headers[TRACE_HEADER])
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
    events = await trace(proxy, answer.headers[TRACE_HEADER])
    (reader,) = of("reader", events)
    assert (reader["name"], reader["success"], reader["bytes"]) == ("notes", True, 17)
    assert "secret" not in json.dumps(events)


@pytest.mark.contract("OW-30", "OW-24")
@pytest.mark.parametrize(
    "method, path, headers, status",
    [
        ("POST", CHAT_PATH, {"Authorization": "Bearer wrong"}, 401),
        ("POST", "/v1/nothing?key=hidden", {}, 404),
        ("DELETE", CHAT_PATH, {}, 405),
        ("POST", CHAT_PATH, {"Content-Length": "100001"}, 413),
        ("POST", CHAT_PATH, {"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_a_request_that_is_refused_is_told(
    client: Client, proxy: Proxy, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    body = b"x" * 100_001 if status == 413 else question()
    answer = await client.send(method, path, body, headers)
    assert answer.status == status
    events = await trace(proxy, answer.headers[TRACE_HEADER])
    assert [event["type"] for event in events] == [
        "trace_version",
        "proxy_request",
        "error",
        "proxy_response",
    ]
    assert (events[1]["method"], events[1]["path"]) == (method, path.partition("?")[0])
    assert (events[2]["status_code"], events[2]["code"]) == (status, answer.error["code"])
    assert (events[3]["status_code"], events[3]["cancelled"]) == (status, False)


@pytest.mark.contract("OW-30")
async def test_a_body_in_chunks_that_is_refused_is_told(client: Client, proxy: Proxy) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 50_000

    answer = await client.send("POST", CHAT_PATH, parts())
    events = await trace(proxy, answer.headers[TRACE_HEADER])
    assert [event["type"] for event in events] == [
        "trace_version",
        "proxy_request",
        "error",
        "proxy_response",
    ]
    assert (events[2]["status_code"], events[2]["code"]) == (413, "request_too_large")


async def test_a_key_in_a_path_is_not_kept(client: Client, proxy: Proxy) -> None:
    answer = await client.get(f"/{SERVICE_KEY}/v1/models?key={SERVICE_KEY}")
    (request,) = of("proxy_request", await trace(proxy, answer.headers[TRACE_HEADER]))
    assert request["path"] == "/[removed]/v1/models"


async def test_a_list_of_models_is_told_and_a_look_at_the_health_is_not(client: Client, proxy: Proxy) -> None:
    healthy = await client.get("/healthz")
    events = await trace(proxy, (await client.get("/v1/models")).headers[TRACE_HEADER])
    assert [event["type"] for event in events] == ["trace_version", "proxy_request", "proxy_response"]
    assert read(proxy, healthy.headers[TRACE_HEADER]) == []


async def test_a_turn_can_be_read_while_it_runs(client: Client, proxy: Proxy, upstream: Upstream) -> None:
    gate = anyio.Event()
    upstream.script(says("Hel", gate, "lo"))
    async with client.streamed() as stream:
        events = await trace(proxy, stream.headers[TRACE_HEADER], until="leg_request")
        assert of("proxy_request", events) and not of("leg", events)
        gate.set()
        await stream.rest()
    assert len(await trace(proxy, stream.headers[TRACE_HEADER])) > len(events)


@pytest.mark.contract("OW-39")
@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
async def test_a_leg_tells_when_it_began_and_how_much_of_it_was_thought(
    client: Client, proxy: Proxy, upstream: Upstream, key: str
) -> None:
    thoughts = [chunk({"role": "assistant", key: "Hm."}), chunk({key: " Well."})]
    gate = anyio.Event()
    upstream.script(Sse([b": wait\n\n", gate, *thoughts, *text_chunks("Hello.", model="the-model")]))
    async with client.streamed() as stream:
        assert [await stream.event() for _ in range(3)][1:] == [b": keepalive"] * 2
        gate.set()
        await stream.rest()
    events = await trace(proxy, stream.headers[TRACE_HEADER])
    (leg,) = of("leg", events)
    assert (leg["content_chars"], leg["reasoning_chars"], leg["finish_reason"]) == (6, 9, "stop")
    assert 0 <= leg["first_byte_ms"] < 150 < leg["first_delta_ms"] <= leg["duration_ms"]
    assert of("proxy_response", events)[0]["keepalives"] >= 2


async def test_a_leg_tells_which_model_answered(client: Client, proxy: Proxy, upstream: Upstream) -> None:
    upstream.script(says("Hello.", model="the-model-0815"))
    events = await trace(proxy, (await client.chat(model="the-model")).headers[TRACE_HEADER])
    assert of("proxy_request", events)[0]["model"] == "the-model"
    assert of("leg", events)[0]["model"] == "the-model-0815"


@pytest.mark.contract("OW-37")
async def test_a_tool_call_that_was_broken_off_is_told(
    client: Client, proxy: Proxy, upstream: Upstream, lifelines: Lifelines
) -> None:
    upstream.script(calls(Call("actions__hold", id="aB3dE5gH8")))
    async with client.streamed() as stream:
        await lifelines.running(1)
    events = await trace(proxy, stream.headers[TRACE_HEADER], until="tool_cancelled")
    (cancelled,) = of("tool_cancelled", events)
    assert (cancelled["call_id"], cancelled["name"]) == ("aB3dE5gH8", "actions__hold")
    events = await trace(proxy, stream.headers[TRACE_HEADER])
    assert of("proxy_response", events)[0]["cancelled_by"] == "client_left"
    await lifelines.running(0)


async def test_an_error_within_a_stream_is_told(client: Client, proxy: Proxy, upstream: Upstream) -> None:
    upstream.script(Sse([chunk({"role": "assistant", "content": "Hel"})], done=False))
    async with client.streamed() as stream:
        await stream.rest()
    events = await trace(proxy, stream.headers[TRACE_HEADER])
    assert [(event["status_code"], event["code"]) for event in of("error", events)] == [
        (502, "upstream_error")
    ]
    assert of("proxy_response", events)[0]["status_code"] == 200


@pytest.mark.contract("OW-34")
async def test_the_id_in_the_header_is_all_that_is_needed_to_look_into_a_turn(
    client: Client, proxy: Proxy, upstream: Upstream
) -> None:
    upstream.script(calls(CALL_HELLO), says("Done."))
    name = (await client.chat()).headers[TRACE_HEADER]
    await trace(proxy, name)
    line = [
        sys.executable,
        "-m",
        "werkzeugkoppler.inspecting",
        name,
        "--config",
        f"{proxy.folder}/config.yaml",
    ]
    done = await anyio.run_process(line, env=Command().environment(proxy.folder / "home"))
    shown = done.stdout.decode().splitlines()
    assert shown[:2] == [f"trace   {name}", "status  200"]
    assert [line.split()[0:2] for line in shown[-4:]] == [
        ["reader", "notes"],
        ["leg", "1"],
        ["tool", "actions__hello"],
        ["leg", "2"],
    ]
