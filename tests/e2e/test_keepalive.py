"""A stream in which the upstream is silent is kept alive."""

from typing import Any

import anyio
import pytest

from tests.e2e.client import Client
from tests.fakes.answers import Json, Sse, says
from tests.fakes.chunks import text_chunks
from tests.fakes.upstream import Upstream


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"stream_keepalive_seconds": 0.1}


@pytest.mark.contract("WK-127")
async def test_comments_come_while_the_upstream_is_silent(client: Client, upstream: Upstream) -> None:
    gate = anyio.Event()
    upstream.script(says("Hel", gate, "lo"))
    async with client.streamed() as stream:
        await stream.until("Hel")
        assert [await stream.event() for _ in range(3)] == [b": keepalive"] * 3
        gate.set()
        assert (await stream.rest()).text == "lo"


@pytest.mark.contract("WK-127")
async def test_comments_come_before_the_upstreams_first_byte(client: Client, upstream: Upstream) -> None:
    gate = anyio.Event()
    upstream.script(Sse([gate, *text_chunks("Hello.")]))
    async with client.streamed() as stream:
        assert [await stream.event() for _ in range(2)] == [b": keepalive"] * 2
        gate.set()
        assert (await stream.rest()).text == "Hello."


@pytest.mark.contract("OW-50")
async def test_comments_come_while_the_upstream_has_not_even_accepted(
    client: Client, upstream: Upstream
) -> None:
    gate = anyio.Event()
    upstream.script(Json({"error": {"message": "too long", "type": "x", "code": "ctx"}}, 400, gate=gate))
    async with client.streamed() as stream:
        assert [await stream.event() for _ in range(2)] == [b": keepalive"] * 2
        gate.set()
        transcript = await stream.rest()
    assert (transcript.errors[0]["code"], transcript.done) == ("ctx", 1)
