"""An exchange's flow has its end, however the exchange ends."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from mitmproxy import http
from mitmproxy.test import taddons, tflow

from werkzeugkoppler import exchange
from werkzeugkoppler.labels import Link


class Witness:
    """An addon that notes how flows fail."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def error(self, flow: http.HTTPFlow) -> None:
        assert flow.error is not None
        self.errors.append(flow.error.msg)


async def outcome() -> AsyncGenerator[bytes]:
    yield b"a"
    yield b"b"


@asynccontextmanager
async def perform(body: str) -> AsyncIterator[AsyncIterator[bytes]]:
    yield outcome()


async def handed_on() -> AsyncGenerator[bytes]:
    link = Link(tflow.tclient_conn(), "turn")
    what = exchange.Act("command", "direct", "", "echo a")
    async with exchange.live_act(link, what, perform) as pieces:
        async for piece in pieces:
            yield piece


@pytest.mark.contract("BX-09")
async def test_a_client_that_leaves_while_a_piece_is_handed_on_cancels_the_exchange() -> None:
    with taddons.context(witness := Witness()):
        async with aclosing(handed_on()) as pieces:
            assert await anext(pieces) == b"a"
    assert witness.errors == ["cancelled"]
