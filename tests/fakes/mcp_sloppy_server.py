"""An MCP server with bad habits, on stdin and stdout, without the SDK.

It prints a banner on stdout, lists a tool without a schema, names the same next page for ever, and ends
when it is called.
"""

import json
import sys
from typing import Any

RESULTS: dict[str, dict[str, Any]] = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "sloppy", "version": "0"},
    },
    "tools/list": {"tools": [{"name": "bare"}], "nextCursor": "again"},
}


def main() -> None:
    print("Sloppy server, at your service!", flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if message["method"] == "tools/call":
            sys.exit("not now")
        if "id" in message:
            reply = {"jsonrpc": "2.0", "id": message["id"], "result": RESULTS[message["method"]]}
            print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
