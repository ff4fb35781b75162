"""The real proxy as a child process, from its start until it has ended."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import anyio
import yaml
from anyio.abc import Process

ROOT: Final = Path(__file__).parents[2]
ADDON: Final = ROOT / "addon"

SERVICE_KEY: Final = "sk-service-wzk-4711"
UPSTREAM_KEY: Final = "sk-upstream-wzk-0815"

READY_SECONDS: Final = 20.0
"""A start takes one to two seconds; a busy machine with two cores may need several times that."""
POLL_SECONDS: Final = 0.05
"""There is no signal for "listening" but an answer, so it is asked for."""
STOP_SECONDS: Final = 8.0
"""A stop drains running turns for up to five seconds."""

FOREIGN: Final = ("WERKZEUGKOPPLER_", "XDG_")
"""Variables of whoever runs the tests that would change what the proxy does."""

COMPLAINTS: Final = ("Traceback", "Addon error")
"""What the proxy writes only when something in it has failed that it did not expect."""


@dataclass(frozen=True)
class Proxy:
    """A proxy that is running."""

    url: str
    folder: Path
    """Holds the config (`config.yaml`), the output (`output.log`) and the traces (`traces/`)."""
    process: Process

    @property
    def output(self) -> str:
        """Everything it has written to stdout and stderr so far."""
        return (self.folder / "output.log").read_text(encoding="utf-8", errors="replace")

    async def stop(self) -> int:
        """Send SIGTERM and wait; raises TimeoutError where it does not end in time.

        Returns:
            The exit code.
        """
        with suppress(ProcessLookupError):
            self.process.terminate()
        with anyio.fail_after(STOP_SECONDS):
            return await self.process.wait()


@dataclass(frozen=True)
class Command:
    """How the proxy is started, apart from its config."""

    arguments: Sequence[str] = ()
    """Further arguments for mitmproxy."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Variables on top of those of the tests."""
    plain: bool = False
    """With mitmdump itself instead of the launcher."""
    addon: Path = ADDON

    def line(self, config: Path, port: int) -> list[str]:
        """The command line."""
        if not self.plain:
            launcher = [sys.executable, "-m", "werkzeugkoppler.cli", "--config", str(config)]
            return [*launcher, *(["--", *self.arguments] if self.arguments else [])]
        mitmdump = str(Path(sys.executable).with_name("mitmdump"))
        # The upstream of reverse mode is a port nobody serves: the addon answers, or nobody does.
        mode = f"reverse:http://127.0.0.1:9@127.0.0.1:{port}"
        options = ["--set", "connection_strategy=lazy", "--set", f"koppler_config={config}"]
        return [mitmdump, "--mode", mode, "-s", str(self.addon / "main.py"), *options, *self.arguments]

    def environment(self, home: Path) -> dict[str, str]:
        """The child's environment: nothing of the user's own settings or files."""
        own = {"PYTHONPATH": str(self.addon), "HOME": str(home), "PYTHONUNBUFFERED": "1"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return {**kept, **own, **self.environ}


def complaints(output: str) -> list[str]:
    """The lines of an output that tell of a failure inside the proxy."""
    return [line for line in output.splitlines() if any(word in line for word in COMPLAINTS)]


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write_config(folder: Path, upstream: str, settings: Mapping[str, Any]) -> Path:
    """Write a config with keys and a free port, and the given settings on top; None leaves a key out."""
    defaults = {
        "service_base_url": f"http://127.0.0.1:{free_port()}",
        "service_api_key": SERVICE_KEY,
        "upstream_base_url": upstream,
        "upstream_api_key": UPSTREAM_KEY,
        "traces": {"dir": str(folder / "traces")},
    }
    merged = {key: value for key, value in (defaults | dict(settings)).items() if value is not None}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(merged, allow_unicode=True), encoding="utf-8")
    return path


@asynccontextmanager
async def running(
    folder: Path, upstream: str, settings: Mapping[str, Any], command: Command | None = None
) -> AsyncIterator[Proxy]:
    """Start the proxy, wait until it answers, and end it with its whole group on leaving.

    Raises:
        AssertionError: It did not start, or it complained.
    """
    command = command or Command()
    config = write_config(folder, upstream, settings)
    url = yaml.safe_load(config.read_text())["service_base_url"]
    async with spawned(folder, command.line(config, int(url.rpartition(":")[2])), command) as process:
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


async def ended(folder: Path, line: Sequence[str], command: Command | None = None) -> tuple[int, str]:
    """Run a command line that should end by itself.

    Returns:
        The exit code, and everything it wrote.
    """
    async with spawned(folder, line, command or Command()) as process:
        with anyio.fail_after(READY_SECONDS):
            code = await process.wait()
    return code, (folder / "output.log").read_text(encoding="utf-8")


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
