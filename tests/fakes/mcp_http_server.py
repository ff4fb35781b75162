"""A fake MCP server over HTTP: `python tests/fakes/mcp_http_server.py PORT_FILE [--json]`.

It listens on a free port of 127.0.0.1, under `/mcp`, and writes the port to PORT_FILE once a client can
connect. With `--json` it answers calls with JSON, otherwise with event streams. `POST /forget` makes it
forget all sessions; each POST with one that it does not know is a line `refused` in the log.
"""

import os
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.lowlevel import Server
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fakes.mcp_tools import fake_server, note


def main() -> None:
    port_file = Path(sys.argv[1])
    server = fake_server()
    app = server.streamable_http_app(json_response="--json" in sys.argv)
    app.add_route("/forget", partial(forget, server), methods=["POST"])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # Renamed into place, so that whoever sees the file sees all of it.
        written = port_file.with_suffix(".part")
        written.write_text(str(listening.getsockname()[1]))
        os.replace(written, port_file)
        uvicorn.Server(
            uvicorn.Config(partial(noting_refusals, app), interface="asgi3", log_level="warning")
        ).run(sockets=[listening])


async def forget(server: Server[Any], _: Request) -> Response:
    # The SDK lets sessions go only when they are idle for a while.
    server.session_manager._server_instances.clear()
    return Response()


async def noting_refusals(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    async def noted(message: Message) -> None:
        if message.get("status") == 404 and scope["method"] == "POST":
            note("refused")
        await send(message)

    await app(scope, receive, noted)


if __name__ == "__main__":
    main()
