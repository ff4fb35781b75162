"""Load the configuration: find the file, lay the environment over it, and say all that is wrong at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from werkzeugkoppler.config import document
from werkzeugkoppler.config.aliases import contradictions
from werkzeugkoppler.config.document import Document
from werkzeugkoppler.config.environment import PATH_VARIABLE, Override, overrides
from werkzeugkoppler.config.problem import Path, Place, Problem, dotted
from werkzeugkoppler.config.schema import AS_WRITTEN, Settings
from werkzeugkoppler.config.unique import repeated_names
from werkzeugkoppler.config.wording import problem_of
from werkzeugkoppler.errors import ConfigError

DEFAULT_PATH = "config.yaml"

MAX_FILE_BYTES = 4 * 1024 * 1024
"""A configuration has some hundred lines; what is larger is another file, named by mistake."""


@dataclass(frozen=True)
class ConfigSource:
    """Which file to load."""

    path: str
    optional: bool
    """Whether it may be missing: only the file that nobody named may."""


def find(flag: str | None, environ: Mapping[str, str]) -> ConfigSource:
    """Choose the file: the flag, then the environment's, then `config.yaml` in the working folder (WK-18)."""
    named = flag or environ.get(PATH_VARIABLE)
    return ConfigSource(named or DEFAULT_PATH, optional=not named)


def load(
    path: str | None,
    environ: Mapping[str, str],
    *,
    optional: bool = False,
    fallback_upstream: str | None = None,
) -> Settings:
    """Read and check the configuration. It reads one small file, and does nothing else.

    Args:
        path: The YAML file; None for what the environment says alone (WK-19).
        environ: Its `WERKZEUGKOPPLER_` variables win over the file.
        optional: A missing file counts as an empty one.
        fallback_upstream: The `upstream_base_url` where neither the file nor the environment has one.

    Raises:
        ConfigError: It cannot be used; the error has every problem, in the file's order.
    """
    file = _read(path, optional) if path is not None else Document()
    given = {override.path: override for override in overrides(environ)}
    values = file.values
    for override in given.values():
        values = _overlaid(values, override.path, override.value)
    if fallback_upstream is not None and values.get("upstream_base_url") is None:
        values = values | {"upstream_base_url": fallback_upstream}
    problems = [*file.problems, *repeated_names(values), *contradictions(file.values)]
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        # A value that the file itself has wrong counts as not written: what that leads to is no news.
        known = {problem.path for problem in problems if not problem.of_key}
        problems += [found for found in map(problem_of, error.errors()) if found.path not in known]
    if problems:
        raise ConfigError(_lines(problems, file, given))
    return settings


def _read(path: str, optional: bool) -> Document:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        if optional and isinstance(error, FileNotFoundError):
            return Document()
        reason = error.strerror or type(error).__name__
        raise ConfigError([f"{path}: cannot be read ({reason}): check its name and permissions"]) from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError([f"{path}: is larger than {MAX_FILE_BYTES} bytes: name a configuration file"])
    return document.read(path, content, AS_WRITTEN)


def _overlaid(values: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """`values` with `value` at `path`; a section that is no mapping stays, to be an error."""
    key, *below = path
    if below:
        section = {} if values.get(str(key)) is None else values[str(key)]
        value = _overlaid(section, tuple(below), value) if isinstance(section, dict) else section
    return values | {str(key): value}


def _lines(problems: list[Problem], file: Document, given: Mapping[Path, Override]) -> list[str]:
    """A line for each problem: those of the file in its order, then the others."""
    placed: list[tuple[Place, str]] = []
    others: list[str] = []
    for problem in problems:
        text = f"{dotted(problem.path)}: {problem.text}" if problem.path else problem.text
        override = given.get(problem.path)
        place = problem.place or file.place(problem.path, of_key=problem.of_key)
        if override is not None and problem.place is None:
            others.append(f"{override.variable}: {text}")
        elif place is None:
            others.append(text)
        else:
            placed.append((place, f"{file.name}:{place.line}:{place.column}: {text}"))
    return [line for _, line in sorted(placed)] + others
