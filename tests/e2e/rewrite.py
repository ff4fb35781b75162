"""Ways in which the config file of a running proxy is changed."""

import os
import re
from pathlib import Path
from typing import Any

import anyio
import yaml

from tests.e2e.proxy import POLL_SECONDS, Proxy

RELOADED = "Configuration reloaded"
FAILED = "Configuration reload failed"
WHOLE_LINE = re.compile(rf"{RELOADED}.*\n")
"""The end of a line may be written later than the line."""


def config_text(proxy: Proxy, **settings: Any) -> str:
    """The config of the proxy with some settings changed; `None` takes one out."""
    values = yaml.safe_load((proxy.folder / "config.yaml").read_text(encoding="utf-8")) | settings
    kept = {key: value for key, value in values.items() if value is not None}
    return yaml.safe_dump(kept, allow_unicode=True)


def write(path: Path, text: str) -> None:
    """Write over the file, as most editors do."""
    path.write_text(text, encoding="utf-8")


def rename(path: Path, text: str) -> None:
    """Put another file in its place."""
    other = path.with_name("config.yaml.new")
    other.write_text(text, encoding="utf-8")
    os.replace(other, path)


async def reload(proxy: Proxy, **settings: Any) -> str:
    """Change some settings, and wait until they are at work.

    Returns:
        What the proxy has written meanwhile.
    """
    before = len(proxy.output)
    times = len(WHOLE_LINE.findall(proxy.output))
    write(proxy.folder / "config.yaml", config_text(proxy, **settings))
    while len(WHOLE_LINE.findall(proxy.output)) == times:  # noqa: ASYNC110 - another process writes it
        await anyio.sleep(POLL_SECONDS)
    return proxy.output[before:]
