"""A fake MCP server over HTTP: `python tests/fakes/mcp_http_server.py PORT_FILE [--json]`.

It listens on a free port of 127.0.0.1, under `/mcp`, and writes the port to PORT_FILE once a client can
connect. With `--json` it answers calls with JSON, otherwise with event streams.
"""

import os
import socket
import sys
from pathlib import Path

import uvicorn

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fakes.mcp_tools import fake_server


def main() -> None:
    port_file = Path(sys.argv[1])
    app = fake_server().streamable_http_app(json_response="--json" in sys.argv)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # Renamed into place, so that whoever sees the file sees all of it.
        written = port_file.with_suffix(".part")
        written.write_text(str(listening.getsockname()[1]))
        os.replace(written, port_file)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


if __name__ == "__main__":
    main()
