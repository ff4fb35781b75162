"""A fake MCP server on stdin and stdout: `python tests/fakes/mcp_stdio_server.py`."""

import sys
from pathlib import Path

import anyio
from mcp.server.stdio import stdio_server

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fakes.mcp_tools import fake_server


async def main() -> None:
    server = fake_server()
    print("the fake is ready", file=sys.stderr, flush=True)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
