"""Lines of a server as messages: whole, in pieces, too large, and not messages at all."""

import json
from typing import Any

import mcp_types as types
import pytest
from mcp.shared.message import SessionMessage

from werkzeugkoppler.tools.mcp_servers.framing import Framing

LINE = '{"jsonrpc":"2.0","id":7,"result":{"text":"grün"}}\n'.encode()


def fed(data: bytes, size: int, max_bytes: int = 1000) -> list[Any]:
    """What becomes of bytes that come in pieces of a size."""
    framing = Framing(max_bytes)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    found = [item for piece in pieces for item in framing.feed(piece)]
    return [item.message if isinstance(item, SessionMessage) else item for item in found]


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_line_is_a_message_however_it_comes_in(size: int) -> None:
    reply = types.JSONRPCResponse(jsonrpc="2.0", id=7, result={"text": "grün"})
    assert fed(LINE + b"\r\n" + LINE + LINE[:-3], size) == [reply, reply]


@pytest.mark.parametrize("size", [1, 300, 100_000])
@pytest.mark.parametrize(
    "reply",
    [
        {"jsonrpc": "2.0", "id": 7, "result": {"text": "x" * 3000}},
        {"result": {"text": "x" * 3000, "id": 8}, "jsonrpc": "2.0", "id": 7},
        {"result": {"text": '{"id": 9,' + "x" * 3000 + '"id": 9}'}, "id": 7, "jsonrpc": "2.0"},
    ],
    ids=["id first", "id last", "id inside"],
)
def test_a_message_that_is_too_large_is_an_error_with_its_id(reply: dict[str, Any], size: int) -> None:
    data = json.dumps(reply).encode()
    refused, after = fed(data + b"\n" + LINE, size)
    assert (refused.id, after.id) == (7, 7)
    assert f"too large: {len(data)} bytes" in refused.error.message


def test_the_largest_message_that_is_taken_is_taken() -> None:
    size = len(LINE) - 1
    assert isinstance(fed(LINE, 1000, size)[0], types.JSONRPCResponse)
    assert isinstance(fed(LINE, 1000, size - 1)[0], types.JSONRPCError)


def test_what_is_no_message_is_noise() -> None:
    assert fed(b"hello\n[1]\n" + b"x" * 2000 + b"\n", 7) == ["hello", "[1]", "a line of 2000 bytes"]


def test_a_stray_byte_does_not_cost_the_message() -> None:
    (reply,) = fed(LINE.replace("ü".encode(), b"\xfc"), 1000)
    assert reply.result == {"text": "gr\ufffdn"}
