"""The list of features in `docs/features.md` and the tests that prove them name the same rows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
FEATURES = TESTS.parent / "docs" / "features.md"

ROW = re.compile(r"^\| ([A-Z]{2}-\d+) \| (\S.*) \|$", re.MULTILINE)


def proved_rows(source: str) -> Iterator[str]:
    """The rows in every `pytest.mark.contract(...)` of a test file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.contract":
            yield from (str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))


def listed_rows(text: str) -> list[str]:
    """The rows of the tables, in their order."""
    return [match[1] for match in ROW.finditer(text)]


def test_every_feature_that_a_test_proves_is_listed_and_no_other() -> None:
    proved = {row for file in TESTS.rglob("*.py") for row in proved_rows(file.read_text(encoding="utf-8"))}
    listed = listed_rows(FEATURES.read_text(encoding="utf-8"))
    assert set(listed) == proved


def test_no_feature_is_listed_twice() -> None:
    listed = listed_rows(FEATURES.read_text(encoding="utf-8"))
    assert len(listed) == len(set(listed))


def test_rows_are_found_in_marks_and_nowhere_else() -> None:
    source = '@pytest.mark.contract("WK-01", "BX-02")\ndef test_x(): print("WK-03")\n'
    assert list(proved_rows(source)) == ["WK-01", "BX-02"]
    assert listed_rows("| Row | What |\n|---|---|\n| WK-04 | it streams |\nWK-05\n") == ["WK-04"]
