"""The list of models is the upstream's own."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import SERVICE_KEY
from tests.e2e.proxy import running
from tests.fakes.answers import Answer, Cut, Json, Raw, says
from tests.fakes.chunks import MODEL
from tests.fakes.upstream import MODELS, Upstream


@pytest.mark.contract("WK-01")
async def test_the_list_of_models_arrives_byte_for_byte(client: Client, upstream: Upstream) -> None:
    body = json.dumps(MODELS, indent=3).encode()
    upstream.models = Raw(200, (("content-type", "application/json"),), body)
    answer = await client.get("/v1/models")
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.contract("WK-02")
@pytest.mark.parametrize(
    "failure",
    [
        Json({"error": "down"}, 503),
        Json({}, 401),
        Cut(b""),
        Raw(200, (("content-type", "text/html"),), b"<html>It works!</html>"),
        Json(b'{"data": [{"id": "half'),
        Json({"object": "list", "data": None}),
        Json([]),
    ],
)
async def test_without_the_upstreams_list_there_is_one_of_a_made_name(
    tmp_path: Path, failure: Answer
) -> None:
    settings = {"fallback_fake_model_name": "away"}
    async with (
        Upstream.serving() as upstream,
        running(tmp_path, upstream.url, settings) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
    ):
        upstream.models = failure
        answer = await Client(session, SERVICE_KEY).get("/v1/models")
    assert (answer.status, names(answer)) == (200, ["away"])
    assert answer.json["object"] == "list"
    (model,) = answer.json["data"]
    assert (model["object"], model["owned_by"]) == ("model", "werkzeugkoppler")
    assert isinstance(model["created"], int)


@pytest.mark.contract("WK-02")
@pytest.mark.parametrize("stream", [False, True])
async def test_without_it_the_model_that_answered_last_is_named(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(says("Hello.", model=f"active-{stream}"))
    assert (await client.chat(stream=stream)).status == 200
    upstream.models = Cut(b"")
    assert names(await client.get("/v1/models")) == [f"active-{stream}"]


@pytest.mark.contract("WK-02")
async def test_without_it_the_model_that_was_first_in_it_is_named(client: Client, upstream: Upstream) -> None:
    await client.get("/v1/models")
    upstream.models = Json({}, 500)
    assert names(await client.get("/v1/models")) == [MODEL]


async def test_a_request_without_a_model_gets_the_last_one(client: Client, upstream: Upstream) -> None:
    upstream.script(says("Hello.", model="active"), says("Hello."))
    await client.chat()
    upstream.models = Cut(b"")
    assert (await client.chat(model=None)).status == 200
    assert upstream.chats[1].json["model"] == "active"


def names(answer: Any) -> list[str]:
    return [model["id"] for model in answer.json["data"]]
