"""The real proxy as a child process, from its start until it has ended."""

import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import anyio
from anyio.abc import Process

from tests.e2e.launch import SERVICE_KEY, Command, free_url, write_config

READY_SECONDS: Final = 20.0
"""A start takes one to two seconds; a busy machine with two cores may need several times that."""
POLL_SECONDS: Final = 0.05
"""There is no signal for "listening" but an answer, so it is asked for."""
STOP_SECONDS: Final = 8.0
"""A stop drains running turns for up to five seconds."""

AUTHORIZATION: Final = {"Authorization": f"Bearer {SERVICE_KEY}"}
NOT_YET: Final = "not connected yet"
"""What `/healthz` says of an MCP server that has neither connected nor failed."""

COMPLAINTS: Final = ("Traceback", "Addon error")
"""What a message begins with only when something in the proxy has failed that it did not expect."""
TIMESTAMP: Final = re.compile(r"^\[[\d:.]+\] ")


@dataclass(frozen=True)
class Proxy:
    """A proxy that is running."""

    url: str
    folder: Path
    """Where it runs: `config.yaml`, the output in `output.log`, the traces in `traces/`."""
    process: Process

    @property
    def output(self) -> str:
        """Everything it has written to stdout and stderr so far."""
        return (self.folder / "output.log").read_text(encoding="utf-8", errors="replace")

    @property
    def traces(self) -> str:
        """Everything in its trace files so far."""
        files = sorted((self.folder / "traces").rglob("*.ndjson"))
        return "".join(file.read_text(encoding="utf-8") for file in files)

    async def until_written(self, text: str, times: int = 1) -> None:
        """Wait until its output holds a text so often; the caller bounds it."""
        while self.output.count(text) < times:  # noqa: ASYNC110 - another process writes it
            await anyio.sleep(POLL_SECONDS)

    async def until_connected(self) -> None:
        """Wait until each MCP server has connected, or failed."""
        with anyio.fail_after(READY_SECONDS):
            async with aiohttp.ClientSession(self.url, headers=AUTHORIZATION) as session:
                while any(entry["error"] == NOT_YET for entry in await _servers(session)):  # noqa: ASYNC110
                    await anyio.sleep(POLL_SECONDS)

    async def stop(self) -> int:
        """Send SIGTERM and wait; raises TimeoutError where it does not end in time.

        Returns:
            The exit code.
        """
        with suppress(ProcessLookupError):
            self.process.terminate()
        with anyio.fail_after(STOP_SECONDS):
            return await self.process.wait()


def complaints(output: str) -> list[str]:
    """The lines of an output that tell of a failure inside the proxy."""
    lines = (TIMESTAMP.sub("", line) for line in output.splitlines())
    return [line for line in lines if line.startswith(COMPLAINTS)]


@asynccontextmanager
async def running(
    folder: Path,
    upstream: str,
    settings: Mapping[str, Any],
    command: Command | None = None,
    *,
    waits_for_servers: bool = True,
) -> AsyncIterator[Proxy]:
    """Start the proxy on a free port with a config, and end it on leaving.

    Args:
        waits_for_servers: Until each MCP server has connected, or failed. A turn waits for a short while
            only: on a busy machine its tools would be missing.

    Raises:
        AssertionError: It did not start, or it complained.
    """
    command = command or Command()
    url = free_url()
    config = write_config(folder, {"service_base_url": url, "upstream_base_url": upstream, **settings})
    line = command.line(config, int(url.rpartition(":")[2]))
    async with serving(folder, url, line, command) as proxy:
        if waits_for_servers and settings.get("mcp_servers"):
            await proxy.until_connected()
        yield proxy


@asynccontextmanager
async def serving(
    folder: Path, url: str, line: Sequence[str], command: Command | None = None
) -> AsyncIterator[Proxy]:
    """Run a command line that is to serve at a URL, wait until it answers, and end it on leaving.

    Args:
        command: Gives the environment; the line is taken as it is.

    Raises:
        AssertionError: It did not start, or it complained.
    """
    async with spawned(folder, line, command or Command()) as process:
        proxy = Proxy(url, folder, process)
        await _ready(proxy)
        yield proxy
        await proxy.stop()
        assert not complaints(proxy.output), proxy.output


@asynccontextmanager
async def spawned(folder: Path, line: Sequence[str], command: Command) -> AsyncIterator[Process]:
    """Run a command line in a group of its own with its output in a file; leaving kills what is left."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    with (folder / "output.log").open("wb") as output:
        process = await anyio.open_process(
            line,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=command.environment(home),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True), anyio.fail_after(STOP_SECONDS):
            await process.wait()


async def ended(
    folder: Path, line: Sequence[str], command: Command | None = None, seconds: float = READY_SECONDS
) -> tuple[int, str]:
    """Run a command line that should end by itself, within some seconds.

    Returns:
        The exit code, and everything it wrote.
    """
    async with spawned(folder, line, command or Command()) as process:
        with anyio.fail_after(seconds):
            code = await process.wait()
    return code, (folder / "output.log").read_text(encoding="utf-8")


async def _servers(session: aiohttp.ClientSession) -> list[dict[str, Any]]:
    async with session.get("/healthz") as response:
        return list((await response.json())["mcp_servers"])


async def _ready(proxy: Proxy) -> None:
    with anyio.move_on_after(READY_SECONDS):
        async with aiohttp.ClientSession(proxy.url) as session:
            while proxy.process.returncode is None:
                with suppress(aiohttp.ClientError):
                    async with session.get("/healthz") as response:
                        if response.status == 200:
                            return
                await anyio.sleep(POLL_SECONDS)
    raise AssertionError(f"the proxy did not start:\n{proxy.output}")
