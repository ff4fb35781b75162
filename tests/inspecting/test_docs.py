"""The page about traces has every option, and every event that there is."""

import ast
import re
from pathlib import Path

import pytest

from tests.e2e.launch import ADDON, ROOT
from werkzeugkoppler.inspecting.command import main

PAGE = (ROOT / "docs" / "inspect.md").read_text(encoding="utf-8")


def test_the_page_has_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"--[a-z0-9-]+", capsys.readouterr().out)) - {"--help"}
    assert {option for option in options if option not in PAGE} == set()


def event_types(file: Path) -> set[str]:
    """The types of events that a file adds: the first text in each `add(...)` and `traced(trace, ...)`."""
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    named = [call for call in calls if ast.unparse(call.func).endswith(("trace.add", "self.add", "traced"))]
    words = [[a.value for a in call.args if isinstance(a, ast.Constant)] for call in named]
    return {str(found[0]) for found in words if found}


def test_the_page_has_every_event() -> None:
    told = set().union(*map(event_types, ADDON.rglob("*.py")))
    assert {"proxy_request", "reader", "leg", "error"} <= told
    assert {type for type in told if f"`{type}`" not in PAGE} == set()
