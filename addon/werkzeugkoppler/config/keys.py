"""Which keys there are: the schema as paths, for suggestions, environment variables and the reference."""

from collections.abc import Iterator
from typing import Any, get_args

from werkzeugkoppler.config.problem import Path
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.section import Section


def every_key(section: type[Section] = Settings, above: Path = ()) -> Iterator[Path]:
    """The path of each key of the schema, without the positions in lists."""
    for name, field in section.model_fields.items():
        yield (*above, name)
        if below := section_in(field.annotation):
            yield from every_key(below, (*above, name))


def keys_of(path: Path) -> list[str]:
    """The keys that the mapping at `path` may have."""
    section: type[Section] = Settings
    for name in (step for step in path if isinstance(step, str)):
        section = section_in(section.model_fields[name].annotation) or section
    return list(section.model_fields)


def section_in(annotation: Any) -> type[Section] | None:
    """The section that a type is, or is a tuple of; None where it holds none."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(section_in, get_args(annotation))), None)
