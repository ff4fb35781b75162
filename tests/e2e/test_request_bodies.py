"""Which chat requests are taken, and what is said of those that are not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.client import CHAT_PATH, Client, question
from tests.fakes.answers import says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream

LIMIT = 100_000

HELLO = {"role": "user", "content": "Hello?"}


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"max_request_bytes": LIMIT}


@pytest.mark.contract("WK-152", "OW-42")
@pytest.mark.parametrize("body", [b"", b"{", b"\xff{}", b'{"model": "m", "messages": [}'])
async def test_a_body_that_is_no_json_is_refused(client: Client, upstream: Upstream, body: bytes) -> None:
    answer = await client.send("POST", CHAT_PATH, body)
    assert (answer.status, answer.error["code"]) == (400, "bad_json")
    assert not upstream.requests


@pytest.mark.contract("WK-152", "OW-43", "OW-44")
@pytest.mark.parametrize(
    "body, code, told",
    [
        ([], "missing_request_object", ""),
        ({"model": "m"}, "missing_messages", "messages"),
        ({"model": "m", "messages": []}, "missing_messages", "messages"),
        ({"model": "m", "messages": "abc"}, "invalid_message", "messages"),
        ({"model": "m", "messages": [HELLO, "abc"]}, "invalid_message", "messages[1]"),
        ({"model": "m", "messages": [HELLO, {"content": "x"}]}, "invalid_role", "messages[1]"),
        ({"model": "m", "messages": [{"role": "boss", "content": "x"}]}, "invalid_role", "messages[0]"),
        (
            {"model": "m", "messages": [HELLO, HELLO, HELLO | {"content": 5}]},
            "invalid_content",
            "messages[2]",
        ),
    ],
)
async def test_a_request_that_cannot_be_meant_is_refused_with_its_place(
    client: Client, upstream: Upstream, body: Any, code: str, told: str
) -> None:
    answer = await client.send("POST", CHAT_PATH, body)
    assert (answer.status, answer.error["code"]) == (400, code)
    assert told in answer.error["message"]
    assert not upstream.requests


@pytest.mark.contract("OW-45", "OW-46", "OW-47", "OW-57")
async def test_every_role_and_form_of_content_reaches_the_upstream_as_it_was(
    client: Client, upstream: Upstream
) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
        },
        {"role": "assistant", "content": None, "tool_calls": [Call("look").wire()]},
        {"role": "tool", "tool_call_id": "call_1", "content": "seen"},
        {"role": "user", "content": "And?", "name": "ada", "vendor": {"x": 1}},
    ]
    upstream.script(says("Well."))
    assert (await client.chat(messages=messages)).status == 200
    assert upstream.chats[0].json["messages"] == messages


@pytest.mark.contract("WK-16", "OW-48", "OW-56")
@pytest.mark.parametrize("stream", [False, True])
async def test_parameters_reach_the_upstream_as_they_were(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    parameters: dict[str, Any] = {
        "temperature": 0.70,
        "max_tokens": 100,
        "stop": ["\n", "END"],
        "response_format": {"type": "json_object"},
        "user": "ada",
        "vendor_key": {"deep": [1, 2.0, None]},
    }
    upstream.script(says("Hello."))
    assert (await client.chat(**parameters, stream=stream)).status == 200
    assert upstream.chats[0].json.items() >= parameters.items()


@pytest.mark.contract("BX-07")
async def test_what_the_client_wrote_arrives_byte_for_byte(client: Client, upstream: Upstream) -> None:
    message = b'{"role":"user" , "content":"\\u00e4 \xc3\xa4 \\/", "n":1.0e2}'
    body = b'{ "temperature":0.70, "messages":[' + message + b'], "model":"fake-model", "x":1e400}'
    upstream.script(says("Hello."))
    assert (await client.send("POST", CHAT_PATH, body)).status == 200
    sent = upstream.chats[0].body
    assert message in sent and b'"temperature":0.70' in sent and b'"x":1e400' in sent


async def test_a_body_over_the_limit_is_refused(client: Client, upstream: Upstream) -> None:
    answer = await client.send("POST", CHAT_PATH, question("x" * LIMIT))
    assert (answer.status, answer.error["type"]) == (413, "invalid_request_error")
    assert not upstream.requests


async def test_a_body_over_the_limit_is_refused_though_its_length_was_not_told(
    client: Client, upstream: Upstream
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * (LIMIT // 2)

    answer = await client.send("POST", CHAT_PATH, parts())
    assert answer.status == 413 and answer.error["message"]
    assert not upstream.requests


async def test_a_body_just_below_the_limit_is_taken(client: Client, upstream: Upstream) -> None:
    upstream.script(says("Long."))
    assert (await client.chat("x" * (LIMIT - 200))).status == 200
