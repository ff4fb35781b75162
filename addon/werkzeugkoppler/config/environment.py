"""Environment variables that take the place of keys in the file (WK-23)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, get_args

from pydantic.fields import FieldInfo

from werkzeugkoppler.config.keys import section_in
from werkzeugkoppler.config.problem import Path
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.section import Section

PREFIX = "WERKZEUGKOPPLER_"
PATH_VARIABLE = f"{PREFIX}CONFIG"
"""Names the config file."""

_FURTHER: dict[str, Path] = {
    "LOG_LEVEL": ("logging", "level"),
    "LOG_JSON": ("logging", "json"),
    "TRACES_DIR": ("traces", "dir"),
}
"""Variables whose key is not at the top."""

_NO_KEYS = ("CONFIG", "DOCTOR_KEY")
"""Variables that stand for no key: they say what a command line says."""

_YES = ("true", "1", "yes", "on")
_NO = ("false", "0", "no", "off")


@dataclass(frozen=True)
class Override:
    """A value from the environment."""

    variable: str
    path: Path
    """The key it stands for."""
    value: Any
    """Of the key's type; the text itself where it cannot be read as that, for the schema to refuse."""


def overrides(environ: Mapping[str, str]) -> Iterator[Override]:
    """The values that the environment gives; an empty variable gives none.

    Every key at the top that holds one value has a variable: the prefix, and the key in capitals.
    """
    for name, path in (_of_the_schema() | _FURTHER).items():
        text = environ.get(PREFIX + name, "").strip()
        # An empty variable is what a compose file makes of an unset one: it must not remove a key.
        if text:
            yield Override(PREFIX + name, path, _typed(text, path))


def unknown(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that begins as ours do and is none: a slip of the pen sets nothing."""
    known = [*_NO_KEYS, *_of_the_schema(), *_FURTHER]
    given = [name.removeprefix(PREFIX) for name in sorted(environ) if name.startswith(PREFIX)]
    sentences = []
    for name in (name for name in given if name not in known):
        near = get_close_matches(name, known, n=1)
        advice = f", did you mean {PREFIX}{near[0]}?" if near else ""
        sentences.append(f"the environment variable {PREFIX}{name} sets nothing{advice}")
    return sentences


def _of_the_schema() -> dict[str, Path]:
    return {
        name.upper(): (name,) for name, field in Settings.model_fields.items() if _is_single(field.annotation)
    }


def _is_single(annotation: Any) -> bool:
    """Whether a type is one of the simple ones, not a list or a section."""
    return section_in(annotation) is None and tuple not in _types(annotation)


def _types(annotation: Any) -> set[Any]:
    inner = {kind for argument in get_args(annotation) for kind in _types(argument)}
    return inner | {getattr(annotation, "__origin__", annotation)}


def _typed(text: str, path: Path) -> Any:
    kinds = _types(_field(path).annotation)
    if bool in kinds:
        word = text.lower()
        return True if word in _YES else False if word in _NO else text
    if Literal in kinds:
        return text.lower()
    for kind in (int, float):
        if kind in kinds:
            return _number(kind, text)
    return text


def _field(path: Path) -> FieldInfo:
    *above, name = map(str, path)
    section: type[Section] = Settings
    for step in above:
        section = section_in(section.model_fields[step].annotation) or section
    return section.model_fields[name]


def _number(kind: type[int] | type[float], text: str) -> int | float | str:
    try:
        return kind(text)
    except ValueError:
        return text
