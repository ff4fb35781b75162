"""Our own proxy as a child process before a scripted upstream, with one tool to call."""

import asyncio
import json
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import aiohttp
from anyio import CancelScope, move_on_after, sleep

from werkzeugkoppler.tools.process import child_environment, end_group

START_SECONDS = 30.0
"""A start takes one to two; a busy machine needs several times that."""
STOP_SECONDS = 5.0
POLL_SECONDS = 0.05
"""There is no sign of a server that listens but its answer."""
KEEPALIVE_SECONDS = 0.2
"""Shorter than the usual second, so that the silences of the probe are short too."""
TOOL = {"name": "doctor_hello", "description": "Says hello", "command": "echo", "arguments": ["hello"]}
PACKAGES = Path(__file__).parents[3]


class OwnProxy(NamedTuple):
    """Where it serves, and its key."""

    url: str
    key: str


class NotStarted(Exception):
    """The proxy did not come up; the text says what it wrote."""


@asynccontextmanager
async def own_proxy(upstream_url: str, more: Mapping[str, object]) -> AsyncIterator[OwnProxy]:
    """Run the proxy until the context is left.

    Args:
        more: Further settings.

    Raises:
        NotStarted: It does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="werkzeugkoppler-doctor-") as folder:
        proxy = OwnProxy(f"http://127.0.0.1:{_free_port()}", f"sk-doctor-{secrets.token_hex(8)}")
        process = await _started(Path(folder), {**_settings(proxy, upstream_url), **more})
        try:
            await _ready(proxy, process, Path(folder) / "output.log")
            yield proxy
        finally:
            with CancelScope(shield=True):
                await end_group(process.pid, STOP_SECONDS)
                with move_on_after(STOP_SECONDS):
                    await process.wait()


async def _started(folder: Path, settings: Mapping[str, object]) -> asyncio.subprocess.Process:
    config = folder / "config.yaml"
    config.write_text(json.dumps(settings), encoding="utf-8")
    # A home of its own: mitmproxy makes its certificates there.
    environ = {
        **child_environment(os.environ, ()),
        "PYTHONPATH": str(PACKAGES),
        "HOME": str(folder),
        "PYTHONUNBUFFERED": "1",
    }
    with (folder / "output.log").open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-O", "-m", "werkzeugkoppler.cli", "--config", str(config)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=environ,
            start_new_session=True,
        )


def _settings(proxy: OwnProxy, upstream_url: str) -> dict[str, object]:
    return {
        "service_base_url": proxy.url,
        "service_api_key": proxy.key,
        "upstream_base_url": upstream_url,
        "stream_keepalive_seconds": KEEPALIVE_SECONDS,
        "actions": [TOOL],
        "traces": {"enabled": False},
    }


async def _ready(proxy: OwnProxy, process: asyncio.subprocess.Process, output: Path) -> None:
    with move_on_after(START_SECONDS):
        async with aiohttp.ClientSession() as session:
            while process.returncode is None:
                with suppress(aiohttp.ClientError):
                    async with session.get(f"{proxy.url}/healthz") as response:
                        if response.status == 200:
                            return
                await sleep(POLL_SECONDS)
    raise NotStarted(f"our own proxy did not start: {_written(output)}")


def _written(output: Path) -> str:
    return output.read_text(encoding="utf-8", errors="replace").strip() or "it wrote nothing"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
