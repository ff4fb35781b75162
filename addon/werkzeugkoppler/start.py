"""What a start is going to do: which settings, from where, and whether its port is free."""

import asyncio
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from werkzeugkoppler.config import load
from werkzeugkoppler.config.address import DEMO
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.upstreams.detect import detect

UPSTREAM_VARIABLE = "WERKZEUGKOPPLER_UPSTREAM_BASE_URL"
SERVICE_VARIABLE = "WERKZEUGKOPPLER_SERVICE_BASE_URL"
EXAMPLE = Path(__file__).parents[2] / "config.yaml.min_example"
SPARE_PORTS = range(8090, 8100)
"""Tried by a start without a config, where the default port is taken: llama.cpp likes it too."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a start is going to do."""

    settings: Settings
    config: str
    """Where the settings came from, in words."""
    path: str
    """The file whose changes count, also where there is none yet."""
    upstream_note: str = ""


def plan(flag: str | None) -> Start:
    """Read the config; where there is none, look for a model server (BX-18).

    Raises:
        ConfigError: The config cannot be used.
    """
    source = load.find(flag, os.environ)
    is_there = not source.optional or Path(source.path).exists()
    if is_there or UPSTREAM_VARIABLE in os.environ:
        settings = load.load(source.path, os.environ, optional=source.optional)
        return Start(settings, source.path if is_there else "the environment", source.path)
    found = asyncio.run(detect())
    environ = dict(os.environ)
    environ[UPSTREAM_VARIABLE] = found.base_url if found else DEMO
    if SERVICE_VARIABLE not in environ and (port := _spare_port()) is not None:
        environ[SERVICE_VARIABLE] = f"http://127.0.0.1:{port}"
    settings = load.load(str(EXAMPLE), environ)
    note = f"{found.name}, found on its usual port" if found else "no model server found on the usual ports"
    made_of = f"none: {EXAMPLE.name} (copy it to config.yaml and make it yours)"
    return Start(settings, made_of, source.path, note)


def port_problem(host: str, port: int) -> str | None:
    """Why the address cannot be listened on (F17)."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return (
            f"cannot listen on {host} port {port}: {error.strerror or error}: "
            "stop what has it, or set service_base_url to another port"
        )
    return None


def _spare_port() -> int | None:
    """A free port where the default one is taken."""
    default = Settings.model_fields["service_base_url"].default
    if port_problem("127.0.0.1", int(default.rpartition(":")[2])) is None:
        return None
    return next((port for port in SPARE_PORTS if port_problem("127.0.0.1", port) is None), None)
