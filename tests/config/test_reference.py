"""The reference in `docs/configuration.md` says what is so."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from tests.config.files import UPSTREAM, loaded, problems
from werkzeugkoppler.config.keys import every_key, keys_of, section_in
from werkzeugkoppler.config.problem import dotted
from werkzeugkoppler.config.schema import Settings

REFERENCE = Path(__file__).parents[2] / "docs" / "configuration.md"
TEXT = REFERENCE.read_text(encoding="utf-8")
ROWS = set(re.findall(r"^\| `(\w+)` \| (.+?) \|", TEXT, re.MULTILINE))
EXAMPLES = re.findall(r"^```yaml\n(.+?)^```", TEXT, re.MULTILINE | re.DOTALL)


def field_at(path: tuple[Any, ...]) -> FieldInfo:
    *above, name = path
    section = Settings
    for step in above:
        section = section_in(section.model_fields[step].annotation)  # type: ignore[assignment]
    return section.model_fields[name]


def shown(field: FieldInfo) -> str:
    if field.is_required():
        return "must be set"
    if field.default in (None, (), {}):
        return "none"
    if isinstance(field.default, tuple):
        return ", ".join(field.default)
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


@pytest.mark.parametrize("path", every_key(), ids=dotted)
def test_every_key_is_in_the_reference_with_its_default(path: tuple[Any, ...]) -> None:
    field = field_at(path)
    if section_in(field.annotation):
        assert f"`{path[-1]}`" in TEXT
    else:
        default = shown(field)
        assert (path[-1], default if " " in default or default == "none" else f"`{default}`") in ROWS


def test_no_row_of_the_reference_is_about_a_key_that_does_not_exist() -> None:
    assert {name for name, _ in ROWS} <= {path[-1] for path in every_key()}


def test_the_keys_of_a_section_are_found_wherever_it_stands() -> None:
    assert keys_of(("logging",)) == ["level", "json"]
    assert keys_of(("actions", 0, "parameters", 1)) == ["name", "type", "description", "default"]
    assert "actions" in keys_of(())


@pytest.mark.parametrize("example", [example for example in EXAMPLES if "# wrong" not in example])
def test_every_example_loads(tmp_path: Path, example: str) -> None:
    rest = "" if "upstream_base_url" in example else UPSTREAM
    assert loaded(tmp_path, example + rest)


def test_the_example_of_a_wrong_file_gives_the_lines_that_are_shown(tmp_path: Path) -> None:
    (wrong,) = (example for example in EXAMPLES if "# wrong" in example)
    match = re.search(r"^```text\n(.+?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert match is not None
    environ = {"WERKZEUGKOPPLER_MAX_TOOL_CONCURRENCY": "many"}
    assert problems(tmp_path, wrong, environ) == match[1].splitlines()
