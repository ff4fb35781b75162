"""Where the config says that the traces are."""

from collections.abc import Mapping
from pathlib import Path

from werkzeugkoppler.config import load
from werkzeugkoppler.config.environment import PREFIX
from werkzeugkoppler.config.schema import Traces
from werkzeugkoppler.errors import ConfigError


def configured(flag: str | None, environ: Mapping[str, str]) -> Path | list[str]:
    """The folder, or what is wrong with the config.

    Args:
        flag: The config file that was named.
    """
    source = load.find(flag, environ)
    if source.optional and not Path(source.path).exists():
        return Traces(dir=environ.get(f"{PREFIX}TRACES_DIR") or None).folder(environ)
    try:
        return load.load(source.path, environ, optional=source.optional).traces.folder(environ)
    except ConfigError as error:
        return error.problems
