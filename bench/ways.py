"""The three ways to the upstream: straight to it, through plain mitmdump, and through this proxy."""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench import canned
from bench.child import Child, child
from bench.connection import Connection, MeasurementError

type Name = Literal["direct", "mitmdump", "werkzeugkoppler"]

NAMES: tuple[Name, ...] = ("direct", "mitmdump", "werkzeugkoppler")

START_SECONDS = 30.0
"""How long a way may take to its first answer before the run gives it up."""

_ROOT = Path(__file__).parent.parent
_POLL_SECONDS = 0.005
"""Between two looks at a proxy that is starting: the error of its start-up time."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way that answers."""

    name: Name
    port: int
    proxy: Child | None
    """None for the direct way."""
    start_seconds: float
    """From starting the process to its first answer."""


@dataclass(frozen=True, slots=True)
class Lab:
    """Where ways are opened: a folder of this run, and the upstream that they lead to."""

    folder: Path
    upstream_port: int
    proxy_cores: frozenset[int]

    @asynccontextmanager
    async def way(
        self,
        name: Name,
        *,
        pinned: bool = True,
        settings: Mapping[str, object] | None = None,
        script: str = "",
        census: Path | None = None,
    ) -> AsyncIterator[Way]:
        """Open a way, wait for its first answer, close it after the block.

        Args:
            settings: Of this proxy, besides the usual ones.
            script: A script of mitmproxy's that it loads too.
            census: Where such a script writes.

        Raises:
            MeasurementError: It ends, or does not answer in time.
        """
        if name == "direct":
            yield Way(name, self.upstream_port, None, 0.0)
            return
        port = _free_port()
        if name == "mitmdump":
            command = mitmdump_command(port, self.upstream_port)
        else:
            command = werkzeugkoppler_command(self._config(port, settings or {}))
            command += ["-s", script] if script else []
        log = self.folder / f"{name}-{port}.log"
        cores = self.proxy_cores if pinned else frozenset()
        start = time.monotonic()
        environment = {**self._environment(), "BENCH_CENSUS": str(census)}
        async with child(command, log=log, cwd=_ROOT, environment=environment, cores=cores) as proxy:
            await _answers(proxy, port)
            yield Way(name, port, proxy, start_seconds=time.monotonic() - start)

    def _config(self, port: int, settings: Mapping[str, object]) -> Path:
        path = self.folder / f"config-{port}.yaml"
        config = werkzeugkoppler_config(port, self.upstream_port, traces=self.folder / "traces")
        path.write_text(json.dumps(config | dict(settings)))  # JSON is YAML
        return path

    def _environment(self) -> Mapping[str, str]:
        """The same for both proxies; their certificates and traces go into the folder of this run."""
        return _environment() | {"HOME": str(self.folder)}


@asynccontextmanager
async def upstream(folder: Path, cores: frozenset[int]) -> AsyncIterator[int]:
    """The fake upstream's port, for as long as the block lasts."""
    log = folder / "upstream.log"
    command = [sys.executable, "-m", "bench.upstream"]
    async with child(command, log=log, cwd=_ROOT, environment=_environment(), cores=cores) as server:
        async with asyncio.timeout(START_SECONDS):
            while not (line := server.output()).endswith("\n"):
                if server.has_ended():
                    raise MeasurementError(f"the fake upstream ended: {line}")
                await asyncio.sleep(_POLL_SECONDS)
        yield int(line)


def mitmdump_command(port: int, upstream_port: int) -> list[str]:
    """Plain mitmdump as a reverse proxy that streams bodies, which is the fastest it can be asked to be."""
    options = ["stream_large_bodies=1", "connection_strategy=lazy", "flow_detail=0"]
    mode = f"reverse:http://127.0.0.1:{upstream_port}@127.0.0.1:{port}"
    mitmdump = str(Path(sys.executable).parent / "mitmdump")
    return [mitmdump, "-q", "--mode", mode, *(word for option in options for word in ("--set", option))]


def werkzeugkoppler_command(config: Path) -> list[str]:
    """As `run.sh` starts it. Neither proxy prints a line for each flow."""
    python = [sys.executable, "-O", "-m", "werkzeugkoppler.cli"]
    return [*python, "--config", str(config), "--", "--set", "flow_detail=0"]


def werkzeugkoppler_config(port: int, upstream_port: int, *, traces: Path) -> dict[str, object]:
    """The whole stack: keys, an init message, two actions, an MCP server over stdio, traces."""
    text = {"name": "TEXT", "type": "insecure_string", "description": "The text."}
    return {
        "service_base_url": f"http://127.0.0.1:{port}",
        "service_api_key": canned.SERVICE_KEY,
        "upstream_base_url": f"http://127.0.0.1:{upstream_port}",
        "upstream_api_key": "upstream-secret",
        "max_concurrent_requests": 256,
        "init_messages": [{"role": "system", "content": "You answer in one short sentence."}],
        "mcp_servers": [
            {
                "server_id": "fake",
                "transport": "stdio",
                "command": sys.executable,
                "args": [str(_ROOT / "tests" / "fakes" / "mcp_stdio_server.py")],
            }
        ],
        "actions": [
            {
                "name": canned.ECHO_ACTION,
                "description": "Says a text.",
                "command": "echo",
                "arguments": ["$TEXT"],
                "parameters": [text],
            },
            {"name": "now", "description": "Tells the date.", "command": "date"},
        ],
        "traces": {"enabled": True, "dir": str(traces)},
    }


async def whole_stack_is_on(lab: Lab, way: Way) -> None:
    """Ask until the upstream sees the init message and the tools of all three sources.

    Raises:
        MeasurementError: It does not come to that.
    """
    wanted = (b"You answer in one", b"actions__say", b"actions__now", b"fake__")
    deadline = time.monotonic() + START_SECONDS
    async with asyncio.timeout(2 * START_SECONDS):
        asking = await Connection.open(way.port)
        looking = await Connection.open(lab.upstream_port)
        while True:
            (await asking.ask(canned.question("bench-plain"))).body()
            seen = (await looking.ask(b"GET /last HTTP/1.1\r\n\r\n")).body()
            missing = [part.decode() for part in wanted if part not in seen]
            if not missing:
                break
            if time.monotonic() > deadline:
                raise MeasurementError(f"the upstream was not sent: {', '.join(missing)}")
            await asyncio.sleep(0.1)
        asking.close()
        looking.close()


async def _answers(proxy: Child, port: int) -> None:
    """Ask until a chat is answered with 200."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            async with asyncio.timeout(START_SECONDS):
                connection = await Connection.open(port)
                answer = await connection.ask(canned.question("bench-plain"))
                connection.close()
                answer.body()
                return
        except (OSError, MeasurementError) as problem:
            if proxy.has_ended() or time.monotonic() > deadline:
                said = f"{problem!r}; it said: {proxy.output()[-1000:]}"
                raise MeasurementError(f"{proxy.log.stem} does not answer: {said}") from problem
        await asyncio.sleep(_POLL_SECONDS)


def _environment() -> dict[str, str]:
    """This process's, without what would change the measured configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WERKZEUGKOPPLER_")}
    kept.pop("LOG_LEVEL", None)
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # a start is measured with its caches warm
    return kept | {"PYTHONPATH": os.pathsep.join(("addon", "."))}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
