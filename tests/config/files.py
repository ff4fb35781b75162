"""A configuration written to a file, and what loading it gives."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from werkzeugkoppler.config.load import load
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.errors import ConfigError

UPSTREAM: Final = "upstream_base_url: http://127.0.0.1:11434\n"
"""All that a configuration needs, in one line."""


def loaded(folder: Path, content: str | bytes, environ: Mapping[str, str] | None = None) -> Settings:
    """Load `content` from a file in `folder`, with the given environment and no other."""
    path = folder / "config.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(str(path), environ or {})


def problems(folder: Path, content: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
    """The problems of `content`, without the folder's name."""
    with pytest.raises(ConfigError) as refused:
        loaded(folder, content, environ)
    return [line.removeprefix(f"{folder}/") for line in refused.value.problems]
