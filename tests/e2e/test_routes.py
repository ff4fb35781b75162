"""What there is to ask for, and what every answer carries."""

import pytest

from tests.e2e.client import CHAT_PATH, Client, question
from tests.fakes.answers import Json, says
from tests.fakes.upstream import Upstream

UNKNOWN = [
    "/",
    "/v1",
    "/v1/nothing",
    "/v1/completions",
    "/v1/assistants",
    "/v1/chat/completions/x",
    "/models",
]


@pytest.mark.contract("WK-08", "OW-04", "OW-72")
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", UNKNOWN)
async def test_an_unknown_path_is_an_openai_error(
    client: Client, upstream: Upstream, method: str, path: str
) -> None:
    answer = await client.send(method, path)
    assert (answer.status, answer.error["type"]) == (404, "invalid_request_error")
    assert not upstream.requests


@pytest.mark.contract("OW-72")
@pytest.mark.parametrize("path", ["/v1/completions", "/v1/assistants", "/v1/threads/t/runs", "/v1/responses"])
async def test_the_other_parts_of_openais_api_are_told_to_be_elsewhere(
    client: Client, upstream: Upstream, path: str
) -> None:
    answer = await client.send("POST", path, question())
    assert answer.status == 404 and answer.error["code"] == "not_found"
    assert "only chat completions and models" in answer.error["message"]


@pytest.mark.contract("OW-05")
async def test_a_query_string_does_not_hide_an_endpoint(client: Client, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    assert (await client.get("/v1/models?x=1")).status == 200
    assert (await client.get("/healthz?x=1")).status == 200
    assert (await client.send("POST", f"{CHAT_PATH}?x=1", question())).status == 200


async def test_a_wrong_method_is_an_openai_error(client: Client, upstream: Upstream) -> None:
    answer = await client.get(CHAT_PATH)
    assert answer.status in (404, 405) and answer.error["type"] == "invalid_request_error"
    assert not upstream.requests


@pytest.mark.contract("OW-24")
async def test_every_answer_names_its_trace(client: Client, stranger: Client, upstream: Upstream) -> None:
    upstream.script(says("one"), Json({"error": {"message": "no"}}, 400))
    answers = [
        await client.chat(),
        await client.chat(),
        await client.get("/v1/models"),
        await client.get("/healthz"),
        await client.get("/nowhere"),
        await client.send("POST", CHAT_PATH, b"{"),
        await stranger.chat(),
    ]
    names = [answer.headers["X-Werkzeugkoppler-Trace-Id"] for answer in answers]
    assert len(set(names)) == len(names)


@pytest.mark.contract("OW-24")
async def test_a_stream_names_its_trace(client: Client, upstream: Upstream) -> None:
    upstream.script(says("one"))
    async with client.streamed() as stream:
        assert stream.headers["X-Werkzeugkoppler-Trace-Id"]
        await stream.rest()
