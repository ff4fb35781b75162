"""An exchange's flow has its end, however the exchange ends."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import anyio
import pytest
from mitmproxy import http
from mitmproxy.test import taddons, tflow

from werkzeugkoppler import exchange
from werkzeugkoppler.flows import Kill, Killed, make_flow
from werkzeugkoppler.labels import Link
from werkzeugkoppler.wire.http import HttpRequest


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


class Killer:
    """An addon that kills a flow at its request, or at its answer."""

    def __init__(self, at: str) -> None:
        self._at = at

    def request(self, flow: http.HTTPFlow) -> None:
        if self._at == "request":
            flow.kill()

    def response(self, flow: http.HTTPFlow) -> None:
        if self._at == "response":
            flow.kill()


@pytest.mark.contract("BX-10")
@pytest.mark.parametrize(
    ("at", "expected", "done"),
    [("request", Kill.BEFORE, []), ("work", Kill.DURING, ["begun"]), ("response", Kill.AFTER, ["begun"])],
)
async def test_whoever_kills_an_act_is_told_apart_by_what_was_done(
    at: str, expected: Kill, done: list[str]
) -> None:
    seen: list[str] = []

    async def work(body: str) -> tuple[int, str]:
        seen.append("begun")
        if at == "work":
            raise Killed
        return 200, "ok"

    what = exchange.Act("tool", "demo", "echo", "{}")
    with taddons.context(Killer(at)):
        assert await exchange.act(Link(tflow.tclient_conn(), "turn"), what, work) is expected
    assert seen == done


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("Files", "files"),
        ("a b", "a-b"),
        ("a..b", "a.b"),
        ("a.-b", "a.b"),
        ("n" * 70, "n" * 63),
        ("a." * 200, ("a." * 100)[:-1]),
        ("..", "unnamed"),
        ("Ü", "unnamed"),
    ],
)
def test_any_name_makes_a_host(name: str, host: str) -> None:
    what = exchange.Act("tool", name, "..", "")
    flow = make_flow(tflow.tclient_conn(), HttpRequest("POST", what.url, (), b""))
    assert flow.request.host == f"{host}.tool"


class Slow:
    """An addon that takes its time over the end of a flow."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    async def error(self, flow: http.HTTPFlow) -> None:
        while self.steps:
            await anyio.lowlevel.checkpoint()
            self.steps -= 1


async def cancelled(addon: Slow) -> None:
    """An exchange in a scope that is cancelled while it is carried out."""

    async def work(body: str) -> tuple[int, str]:
        scope.cancel()
        await anyio.sleep_forever()
        raise AssertionError

    what = exchange.Act("tool", "demo", "echo", "{}")
    with taddons.context(addon), anyio.fail_after(5), anyio.CancelScope() as scope:
        await exchange.act(Link(tflow.tclient_conn(), "turn"), what, work)


@pytest.mark.contract("BX-09")
async def test_addons_may_see_the_end_of_a_flow_that_is_cancelled_through() -> None:
    slow = Slow(steps=3)
    await cancelled(slow)
    assert slow.steps == 0


async def test_no_addon_holds_up_a_cancellation_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "CANCELLED_SECONDS", 0.05)
    slow = Slow(steps=-1)
    await cancelled(slow)
    assert slow.steps < -1
