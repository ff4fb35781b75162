"""The page about saved turns has every option and every exit code."""

import re

import pytest

from tests.e2e.launch import ROOT
from werkzeugkoppler.playing import command

PAGE = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["replay", "fork"])
def test_the_page_has_every_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main([name, "--help"])
    options = set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help", "--write"}
    assert {option for option in options if option not in PAGE} == set()


def test_the_page_has_every_exit_code() -> None:
    for code in (0, command.EXIT_DIFFERENT, command.EXIT_USAGE, command.EXIT_INTERRUPTED):
        assert f"\n| {code} |" in PAGE
