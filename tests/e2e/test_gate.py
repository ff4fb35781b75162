"""Who may ask: the service key on the way in, the upstream's key on the way out."""

from pathlib import Path

import aiohttp
import pytest

from tests.e2e.client import CHAT_PATH, Client, question
from tests.e2e.launch import SERVICE_KEY, UPSTREAM_KEY
from tests.e2e.proxy import running
from tests.fakes.answers import says
from tests.fakes.upstream import Upstream

ASKS = [("GET", "/v1/models"), ("POST", CHAT_PATH)]
REFUSALS = [
    (None, "missing_authorization"),
    ("Basic c2VjcmV0", "unsupported_auth_scheme"),
    (SERVICE_KEY, "unsupported_auth_scheme"),
    ("Bearer wrong", "invalid_api_key"),
    (f"Bearer {SERVICE_KEY}x", "invalid_api_key"),
    ("Bearer ", "invalid_api_key"),
]


@pytest.mark.contract("WK-11", "WK-12", "OW-06")
@pytest.mark.parametrize("method, path", ASKS)
@pytest.mark.parametrize("authorization, code", REFUSALS)
async def test_a_request_without_the_right_key_is_refused_with_the_reason(
    stranger: Client, upstream: Upstream, method: str, path: str, authorization: str | None, code: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await stranger.send(method, path, question(), headers)
    assert (answer.status, answer.error["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["X-Werkzeugkoppler-Trace-Id"]
    assert not upstream.requests


@pytest.mark.contract("WK-11", "OW-08")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_may_be_written_in_any_case(
    stranger: Client, upstream: Upstream, scheme: str
) -> None:
    upstream.script(says("Hello."))
    answer = await stranger.send(
        "POST", CHAT_PATH, question(), {"Authorization": f"{scheme}  {SERVICE_KEY} "}
    )
    assert answer.status == 200


async def test_a_stranger_is_refused_before_anything_of_the_request_is_judged(stranger: Client) -> None:
    assert (await stranger.send("POST", CHAT_PATH, b"no JSON")).status == 401


@pytest.mark.contract("WK-11")
async def test_a_refused_client_may_ask_again_on_its_connection(
    stranger: Client, client: Client, upstream: Upstream
) -> None:
    for stream in (True, False):
        assert (await stranger.chat(stream=stream)).status == 401
        upstream.script(says("Hello."))
        assert (await client.transcript()).text == "Hello."


async def test_a_key_that_is_no_ascii_is_refused(stranger: Client) -> None:
    answer = await stranger.get("/v1/models", {"Authorization": "Bearer schlüssel"})
    assert answer.status == 401


@pytest.mark.contract("WK-14")
async def test_the_upstream_sees_its_key_however_its_address_is_written(
    shared_upstream: Upstream, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(says("Hello."))
    address = shared_upstream.url.replace("http://127.0.0.1", "HTTP://LocalHost")
    async with (
        running(tmp_path, address, {}) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
    ):
        assert (await Client(session, SERVICE_KEY).chat()).status == 200
    assert upstream.chats[0].header("authorization") == f"Bearer {UPSTREAM_KEY}"


@pytest.mark.contract("WK-14", "WK-15")
async def test_the_upstream_sees_its_own_key_and_never_the_clients(
    client: Client, upstream: Upstream
) -> None:
    upstream.script(says("one"), says("two"))
    await client.get("/v1/models")
    await client.chat()
    await client.transcript()
    assert len(upstream.requests) == 3
    for request in upstream.requests:
        assert request.header("authorization") == f"Bearer {UPSTREAM_KEY}"
        assert SERVICE_KEY not in repr(request)
