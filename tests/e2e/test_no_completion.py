"""Upstreams that answer 200 with something that is no completion, and clients of another age."""

import json

import pytest

from tests.e2e.client import Client
from tests.e2e.proxy import Proxy
from tests.e2e.wire import chat_head, connected
from tests.fakes.answers import Raw, says
from tests.fakes.upstream import Upstream

HTML = (("content-type", "text/html; charset=utf-8"),)
JSON = (("content-type", "application/json"),)


@pytest.mark.contract("OW-52")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("answer", [Raw(200, HTML, b"<html>Log in first</html>"), Raw(204, (), b"")])
async def test_a_page_is_no_answer(client: Client, upstream: Upstream, answer: Raw, stream: bool) -> None:
    upstream.script(answer)
    told = await client.chat(stream=stream)
    assert told.status == 502 and told.error["code"] == "upstream_error"
    assert b"<html>" not in told.body


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_without_end_does_not_fill_the_memory(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(Raw(200, JSON, b'{"choices": "' + b"x" * (65 * 1024 * 1024) + b'"}'))
    told = await client.chat(stream=stream)
    assert told.status == 502 and "larger than" in told.error["message"]


async def test_a_client_of_http_1_0_gets_a_stream_that_ends_with_the_connection(
    proxy: Proxy, upstream: Upstream
) -> None:
    upstream.script(says("Hello."))
    question = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    body = json.dumps(question).encode()
    async with connected(proxy) as wire:
        await wire.send(chat_head(f"Content-Length: {len(body)}", version="1.0") + body)
        head = (await wire.head()).lower()
        events = (await wire.rest()).decode()
    assert b"transfer-encoding" not in head
    assert events.startswith("data: {") and events.endswith("data: [DONE]\n\n")
