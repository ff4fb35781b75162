"""Answers that never end, and answers that hold more than they say."""

from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.faulted import SETTINGS, TEXT
from tests.fakes.answers import says
from tests.fakes.chunks import chunk, event
from tests.fakes.faults import Endless, Faulty, Rewritten, Written
from tests.fakes.upstream import Upstream
from tests.oracle import Complete, Failed, judge

TOKEN = event(chunk({"role": "assistant", "content": "x" * 200_000}))
KILOBYTES = b"x" * 65536
PAGE = (("content-type", "text/html"),)
JSON = (("content-type", "application/json"),)

BODIES = {
    "tokens": Endless(b"", TOKEN),
    "one event": Endless(b'data: {"x": "', KILOBYTES),
    "one comment": Endless(b": ", KILOBYTES),
    "one text": Endless(b'{"choices": "', KILOBYTES, JSON),
    "a text without a type": Endless(b"", KILOBYTES, ()),
}
HEADS = {
    "a status line": b"HTTP/1.1 200 " + b"O" * 65536,
    "a header": b"HTTP/1.1 200 OK\r\nx: " + b"x" * 65536,
    "headers": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
}


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return SETTINGS


@pytest.mark.contract("OW-50", "OW-51")
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("body", BODIES)
async def test_a_body_without_end_ends_with_an_error(
    client: Client, upstream: Upstream, body: str, stream: bool
) -> None:
    upstream.script(BODIES[body])
    answer = await client.chat(stream=stream)
    verdict = judge(answer.status, answer.headers["content-type"], answer.body)
    assert isinstance(verdict, Failed) and "larger than" in verdict.error["message"]
    await upstream.chats[0].closed.wait()


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("head", HEADS)
async def test_a_head_without_end_is_refused(
    client: Client, upstream: Upstream, head: str, stream: bool
) -> None:
    upstream.script(Faulty(says("x"), Rewritten(lambda _: HEADS[head])))
    answer = await client.chat(stream=stream)
    assert answer.status == 502 and answer.error["code"] == "upstream_error"
    await upstream.chats[0].closed.wait()


@pytest.mark.contract("WK-151")
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_a_page_without_end_is_cut(client: Client, upstream: Upstream, stream: bool) -> None:
    class Page(Endless):
        async def send(self, connection: Any, request: Any) -> None:
            await connection.start(500, PAGE)
            while True:
                await connection.send(KILOBYTES)

    upstream.script(Page(b"", b""))
    answer = await client.chat(stream=stream)
    assert len(answer.body) < 2000
    assert answer.status in (500, 502)


@pytest.mark.contract("BX-05", "WK-144")
@pytest.mark.parametrize("piece", [b": ping\n\n", b"\n\n", b"data: oops\n\n"])
async def test_a_client_may_leave_what_never_ends(client: Client, upstream: Upstream, piece: bytes) -> None:
    upstream.script(Endless(TOKEN, piece))
    async with client.streamed() as stream:
        await stream.chunk()
    await upstream.chats[0].closed.wait()


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_what_follows_an_answer_is_no_answer_to_the_next_question(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    """A length that is too short, and behind it what looks like an answer."""

    def smuggled(written: Written) -> bytes:
        return written.with_length().data() + poison

    poison = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    for _ in range(5):
        upstream.script(Faulty(says(TEXT), Rewritten(smuggled)), says(TEXT))
        for _ in range(2):
            answer = await client.chat(stream=stream)
            verdict = judge(answer.status, answer.headers["content-type"], answer.body)
            assert isinstance(verdict, Complete) and verdict.text == TEXT
