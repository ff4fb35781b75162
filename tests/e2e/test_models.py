"""The list of models is the upstream's own."""

import json

import pytest

from tests.e2e.client import Client
from tests.fakes.answers import Cut, Json, Raw
from tests.fakes.upstream import MODELS, Upstream


@pytest.mark.contract("WK-01")
async def test_the_list_of_models_arrives_byte_for_byte(client: Client, upstream: Upstream) -> None:
    body = json.dumps(MODELS, indent=3).encode()
    upstream.models = Raw(200, (("content-type", "application/json"),), body)
    answer = await client.get("/v1/models")
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.contract("WK-151", "OW-51")
async def test_a_refusal_of_the_list_arrives_as_it_is(client: Client, upstream: Upstream) -> None:
    body = b'{"error":  {"message": "down", "type": "x", "code": "down"}}'
    upstream.models = Json(body, 503)
    answer = await client.get("/v1/models")
    assert (answer.status, answer.body) == (503, body)


@pytest.mark.contract("OW-51")
async def test_an_upstream_that_gives_no_list_is_a_502(client: Client, upstream: Upstream) -> None:
    upstream.models = Cut(b"")
    answer = await client.get("/v1/models")
    assert (answer.status, answer.error["code"]) == (502, "upstream_error")
