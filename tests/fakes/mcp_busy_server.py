"""An MCP server that does one thing at a time, on stdin and stdout, without the SDK.

Its one tool `busy` says that the tools have changed, and nothing more for so many `seconds`. Each start and
each answered `list` is a line in the file `WK_FAKE_LOG`.
"""

import json
import os
import sys
import time
from typing import Any

RESULTS: dict[str, dict[str, Any]] = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {"listChanged": True}},
        "serverInfo": {"name": "busy", "version": "0"},
    },
    "tools/list": {"tools": [{"name": "busy", "inputSchema": {"type": "object"}}]},
    "tools/call": {"content": [{"type": "text", "text": "done"}]},
}


def main() -> None:
    note("start")
    for line in sys.stdin:
        message = json.loads(line)
        if message["method"] == "tools/call":
            say({"method": "notifications/tools/list_changed"})
            time.sleep(message["params"]["arguments"]["seconds"])
        if "id" in message:
            note(message["method"])
            say({"id": message["id"], "result": RESULTS[message["method"]]})


def say(message: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0"} | message), flush=True)


def note(event: str) -> None:
    if path := os.environ.get("WK_FAKE_LOG"):
        with open(path, "a", encoding="utf-8") as log:
            log.write(f"{event}\n")


if __name__ == "__main__":
    main()
