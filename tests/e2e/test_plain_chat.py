"""A chat that is not streamed, answered in one leg."""

import json
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError

from tests.e2e.client import CHAT_PATH, Client, question
from tests.e2e.declared import WEATHER
from tests.fakes.answers import Cut, Json, Raw, Sse, calls, says
from tests.fakes.chunks import USAGE, Call, completion, text_chunks
from tests.fakes.upstream import Upstream


@pytest.mark.contract("WK-03", "OW-53")
async def test_an_answer_arrives_byte_for_byte(client: Client, upstream: Upstream) -> None:
    answer = completion("Hello ä.", system_fingerprint="fp", vendor={"z": 1, "a": 2.50})
    answer["choices"][0]["message"] |= {"reasoning": "hm", "reasoning_content": "hm hm"}
    body = json.dumps(answer, indent=1).replace("2.5", "2.50").encode()
    upstream.script(Json(body))
    received = await client.chat()
    assert (received.status, received.body) == (200, body)
    assert received.headers["content-type"].startswith("application/json")


@pytest.mark.contract("OW-01")
async def test_the_openai_client_chats(sdk: AsyncOpenAI, upstream: Upstream) -> None:
    upstream.script(says("Hel", "lo."))
    answer = await sdk.chat.completions.create(**question())
    assert answer.choices[0].message.content == "Hello."
    assert answer.usage and answer.usage.model_dump(exclude_none=True) == USAGE


async def test_the_openai_client_lists_the_models(sdk: AsyncOpenAI, upstream: Upstream) -> None:
    assert [model.id async for model in sdk.models.list()] == ["fake-model"]


@pytest.mark.contract("WK-112")
@pytest.mark.parametrize("tools", [{}, {"tools": []}, {"tools": None}])
async def test_no_tools_are_sent_where_there_are_none(
    client: Client, upstream: Upstream, tools: dict[str, Any]
) -> None:
    upstream.script(says("Hello."))
    await client.chat(**tools)
    assert not upstream.chats[0].json.get("tools", ())
    assert "tools" not in upstream.chats[0].json


@pytest.mark.contract("WK-123")
async def test_of_several_choices_the_client_sees_the_first(client: Client, upstream: Upstream) -> None:
    answer = completion("first")
    answer["choices"] = [completion("second")["choices"][0] | {"index": 1}, *answer["choices"]]
    upstream.script(Json(answer))
    (choice,) = (await client.chat()).json["choices"]
    assert (choice["index"], choice["message"]["content"]) == (0, "first")


@pytest.mark.contract("OW-54")
@pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
async def test_the_reason_for_the_end_arrives(client: Client, upstream: Upstream, finish: str) -> None:
    upstream.script(says("Hello.", finish=finish))
    assert (await client.chat()).json["choices"][0]["finish_reason"] == finish


@pytest.mark.contract("WK-118", "OW-54", "OW-55")
async def test_a_call_of_the_clients_own_tool_is_the_clients(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(Call("weather", '{"city": "Ulm"}')), says("Rain."))
    first = (await client.chat(tools=[WEATHER])).json["choices"][0]
    assert first["finish_reason"] == "tool_calls"
    assert first["message"]["tool_calls"] == [Call("weather", '{"city": "Ulm"}').wire()]
    result = {"role": "tool", "tool_call_id": "call_1", "content": "rain"}
    messages = [*question()["messages"], first["message"], result]
    assert (await client.chat(messages=messages)).json["choices"][0]["message"]["content"] == "Rain."
    assert upstream.chats[1].json["messages"] == messages


@pytest.mark.contract("WK-151", "OW-51")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 429, 500, 503])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_upstreams_refusal_arrives_as_it_is(
    client: Client, upstream: Upstream, status: int, stream: bool
) -> None:
    body = b'{"error":  {"message": "too long", "type": "vendor", "code": "ctx", "more": 1.0}}'
    upstream.script(Json(body, status))
    answer = await client.chat(stream=stream)
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.contract("WK-151")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_upstream_that_is_busy_says_when_to_come_again(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    busy = {"error": {"message": "busy", "type": "rate_limit_error", "code": None}}
    upstream.script(Json(busy, 429, (("retry-after", "7"), ("x-ratelimit-remaining-requests", "0"))))
    answer = await client.chat(stream=stream)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert answer.headers["X-RateLimit-Remaining-Requests"] == "0"


async def test_an_upstream_that_sends_elsewhere_is_not_followed(client: Client, upstream: Upstream) -> None:
    """The key would go along."""
    upstream.script(Raw(307, (("location", "http://127.0.0.1:9/v1/chat/completions"),), b""))
    answer = await client.chat()
    assert answer.status == 502 and "http://127.0.0.1:9" in answer.error["message"]


@pytest.mark.contract("OW-51")
@pytest.mark.parametrize("body", [b"<html>nginx</html>", b"", b'"text"', b"[]"])
async def test_an_upstreams_refusal_that_is_no_error_object_becomes_one(
    client: Client, upstream: Upstream, body: bytes
) -> None:
    upstream.script(Raw(502, (("content-type", "text/html"),), body))
    answer = await client.chat()
    assert (answer.status, answer.error["code"]) == (502, "upstream_error")


@pytest.mark.contract("OW-51", "OW-52")
@pytest.mark.parametrize(
    "answer",
    [
        Cut(b""),
        Cut(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"),
        Cut(b"SSH-2.0-nothing\r\n\r\n"),
        Raw(200, (("content-type", "application/json"),), b"<html>"),
        Json([]),
        Json({"choices": []}),
    ],
)
async def test_an_upstream_that_gives_no_answer_is_a_502(
    client: Client, upstream: Upstream, answer: Cut | Raw | Json
) -> None:
    upstream.script(*[answer] * 3)  # an end at once of a connection that was kept alive is no answer yet
    received = await client.chat()
    assert (received.status, received.error["code"]) == (502, "upstream_error")
    upstream.reset()


@pytest.mark.contract("WK-142", "OW-51")
async def test_an_error_under_a_200_is_an_error(client: Client, upstream: Upstream) -> None:
    upstream.script(Json({"error": {"message": "out of memory", "type": "server_error", "code": None}}))
    answer = await client.chat()
    assert answer.status == 502 and "out of memory" in answer.error["message"]


async def test_an_upstream_that_streams_unasked_is_read_as_an_answer(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(Sse(text_chunks("Hel", "lo.")))
    answer = (await client.chat()).json
    assert (answer["object"], answer["choices"][0]["message"]["content"]) == ("chat.completion", "Hello.")
    assert (answer["usage"], answer["choices"][0]["finish_reason"]) == (USAGE, "stop")


async def test_the_openai_client_raises_what_the_upstream_said(sdk: AsyncOpenAI, upstream: Upstream) -> None:
    upstream.script(Json({"error": {"message": "too long", "type": "x", "code": "ctx"}}, 400))
    with pytest.raises(BadRequestError, match="too long") as caught:
        await sdk.chat.completions.create(**question())
    assert caught.value.code == "ctx"


async def test_connections_are_kept_for_the_next_request(client: Client, upstream: Upstream) -> None:
    upstream.script(says("one"), says("two"))
    await client.chat()
    assert not upstream.chats[0].closed.is_set()
    assert (await client.send("POST", CHAT_PATH, question())).status == 200


@pytest.mark.contract("OW-64")
async def test_nothing_is_remembered_of_another_request(client: Client, upstream: Upstream) -> None:
    upstream.script(says("one"), says("two"))
    await client.chat("My name is Ada.")
    await client.chat("What is my name?")
    assert upstream.chats[1].json["messages"] == question("What is my name?")["messages"]


@pytest.mark.contract("WK-150", "OW-43")
async def test_a_request_without_a_model_gets_the_first_that_the_upstream_lists(
    client: Client, upstream: Upstream
) -> None:
    """And is refused where there is none to take."""
    request = {"messages": question()["messages"]}
    upstream.models = Json({"object": "list", "data": []})
    refused = await client.send("POST", CHAT_PATH, request)
    assert (refused.status, refused.error["code"]) == (400, "missing_model")
    upstream.models = Json({"object": "list", "data": [{"id": "first"}, {"id": "second"}]})
    upstream.script(says("Hello."))
    assert (await client.send("POST", CHAT_PATH, request)).status == 200
    assert upstream.chats[0].json["model"] == "first"
