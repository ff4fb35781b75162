"""The ways to start the proxy: command lines, environments and config files."""

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
ADDON: Final = ROOT / "addon"
LAUNCHER: Final = (sys.executable, "-O", "-m", "werkzeugkoppler.cli")

SERVICE_KEY: Final = "sk-service-wzk-4711"
UPSTREAM_KEY: Final = "sk-upstream-wzk-0815"

NOWHERE: Final = "http://127.0.0.1:9"
"""A URL that nobody serves."""

FOREIGN: Final = ("WERKZEUGKOPPLER_", "XDG_")
"""Variables of whoever runs the tests that would change what the proxy does."""


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
    target: str = NOWHERE
    """What plain mitmdump is the reverse proxy of; the addon answers, or nobody should."""

    def line(self, config: Path, port: int) -> list[str]:
        """The command line."""
        if not self.plain:
            more = ["--", *self.arguments] if self.arguments else []
            return [*LAUNCHER, "--config", str(config), *more]
        mitmdump = str(Path(sys.executable).with_name("mitmdump"))
        mode = f"reverse:{self.target}@127.0.0.1:{port}"
        options = ["--set", "connection_strategy=lazy", "--set", f"koppler_config={config}"]
        return [mitmdump, "--mode", mode, "-s", str(self.addon / "main.py"), *options, *self.arguments]

    def environment(self, home: Path) -> dict[str, str]:
        """The child's environment: nothing of the user's own settings or files."""
        own = {"PYTHONPATH": str(self.addon), "HOME": str(home), "PYTHONUNBUFFERED": "1"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        return {**kept, **own, **self.environ}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def free_url() -> str:
    """A base URL on a free port."""
    return f"http://127.0.0.1:{free_port()}"


def write_config(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Write a config with both keys and the traces in the folder, and the settings on top.

    A setting of None leaves its key out.
    """
    defaults = {
        "service_api_key": SERVICE_KEY,
        "upstream_api_key": UPSTREAM_KEY,
        "traces": {"dir": str(folder / "traces")},
    }
    merged = {key: value for key, value in (defaults | dict(settings)).items() if value is not None}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(merged, allow_unicode=True), encoding="utf-8")
    return path
