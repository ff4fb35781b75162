"""An MCP server that does everything wrong, on stdin and stdout, without the SDK.

Its list has tools as no server should list them. Each tool is named for what it does to a call.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

INITIALIZE: Final = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "faulty", "version": "0"},
}
ODD_TOOLS: Final[list[Any]] = [
    {"name": "schema is a text", "inputSchema": "x"},
    {"name": "wørds / ünd 😀", "inputSchema": {"type": "object"}},
    {"name": "described by a number", "description": 5},
    {"name": 7},
    {"description": "nameless"},
    "a text",
    None,
]
RESULTS: Final[dict[str, Any]] = {
    "result_text": "x",
    "result_null": None,
    "result_empty": {},
    "content_text": {"content": "x"},
    "content_odd": {"content": [{"type": "hologram", "data": 1}]},
    "content_numbers": {"content": [1, 2]},
    "error_word": {"content": [], "isError": "perhaps"},
    "structured_odd": {"content": [], "structuredContent": [1]},
    "huge": {"content": [{"type": "text", "text": "x" * 5_000_000}]},
}


def write(message: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def answer(id_: Any, text: str = "well") -> None:
    write({"id": id_, "result": {"content": [{"type": "text", "text": text}]}})


def die(id_: Any) -> None:
    os._exit(3)


def die_in_a_line(id_: Any) -> None:
    print('{"jsonrpc": "2.0", "id":', end="", flush=True)
    os._exit(3)


def hang(id_: Any) -> None:
    """Answer nothing: neither this nor what follows."""
    time.sleep(1000)


def go_deaf(id_: Any) -> None:
    """Close stdout and live on."""
    os.close(1)
    time.sleep(1000)


def flood_news(id_: Any) -> None:
    for number in range(5000):
        params = {"level": "info", "data": f"news {number}"}
        write({"method": "notifications/message", "params": params})
        write({"method": "notifications/progress", "params": {"progressToken": 99, "progress": number}})
    answer(id_)


def flood_changes(id_: Any) -> None:
    for _ in range(1000):
        write({"method": "notifications/tools/list_changed"})
    answer(id_)


def flood_stderr(id_: Any) -> None:
    sys.stderr.write("x" * 3_000_000 + "\n")
    sys.stderr.buffer.write(bytes(range(256)) * 100)
    sys.stderr.flush()
    answer(id_)


def garbage(id_: Any) -> None:
    sys.stdout.buffer.write(b"\xff\xfe\x00 no json\n{}\n[]\n1\n\n" + b"y" * 200_000 + b"\n")
    answer(id_)


def twice(id_: Any) -> None:
    answer(id_)
    answer(id_, "again")


def other_id(id_: Any) -> None:
    answer("of nobody")
    answer(id_)


def ask_back(id_: Any) -> None:
    """Ask the client for what it cannot do."""
    write({"id": 1, "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}})
    write({"id": 2, "method": "no/such/method"})
    answer(id_)


def odd_error(id_: Any) -> None:
    write({"id": id_, "error": {"code": "x", "message": 5}})


DEEDS: Final[dict[str, Callable[[Any], None]]] = {
    deed.__name__: deed
    for deed in (
        *(die, die_in_a_line, hang, go_deaf, flood_news, flood_changes, flood_stderr),
        *(garbage, twice, other_id, ask_back, odd_error),
    )
}


def main() -> None:
    names = [*DEEDS, *RESULTS]
    listed: list[Any] = [{"name": name, "inputSchema": {"type": "object"}} for name in names]
    for line in sys.stdin:
        message = json.loads(line)
        id_ = message.get("id")
        match message.get("method"):
            case "initialize":
                write({"id": id_, "result": INITIALIZE})
            case "tools/list":
                write({"id": id_, "result": {"tools": [*ODD_TOOLS, *listed]}})
            case "tools/call":
                name = message["params"]["name"]
                if name in DEEDS:
                    DEEDS[name](id_)
                elif name in RESULTS:
                    write({"id": id_, "result": RESULTS[name]})
                else:
                    answer(id_)


if __name__ == "__main__":
    main()
