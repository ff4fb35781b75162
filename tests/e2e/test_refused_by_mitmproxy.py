"""What mitmproxy refuses by itself is recorded too: without the key."""

from pathlib import Path

import pytest

from tests.e2e.launch import SERVICE_KEY, Command
from tests.e2e.proxy import running
from tests.e2e.wire import connected
from tests.fakes.upstream import Upstream

HEAD = f"Host: x\r\nAuthorization: Bearer {SERVICE_KEY}\r\n"
TWO_LENGTHS = f"POST /v1/chat/completions HTTP/1.1\r\n{HEAD}Content-Length: 3\r\nContent-Length: 57\r\n\r\n"
BOTH = f"POST /v1/chat/completions HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\nContent-Length: 57\r\n\r\n"
NEGATIVE = f"GET /v1/models HTTP/1.1\r\n{HEAD}Content-Length: -5\r\n\r\n"
CONNECT = f"CONNECT a:1 HTTP/1.1\r\n{HEAD}\r\n"


@pytest.mark.contract("BX-17")
async def test_the_key_is_in_no_flow_of_a_request_that_is_malformed(
    upstream: Upstream, tmp_path: Path
) -> None:
    command = Command(arguments=["-w", "flows.mitm"])
    async with running(tmp_path, upstream.url, {}, command) as proxy:
        for request in (TWO_LENGTHS, BOTH, NEGATIVE, CONNECT):
            async with connected(proxy) as wire:
                await wire.send(request.encode())
                assert await wire.rest()
    saved = (tmp_path / "flows.mitm").read_bytes()
    assert SERVICE_KEY.encode() not in saved
    assert saved.count(b"[removed]") == 4
