"""The limits of direct commands have two names, and one meaning."""

from pathlib import Path

import pytest

from tests.config.files import UPSTREAM, loaded, problems

LONG = "allowed_direct_commands_max_output_"


@pytest.mark.contract("WK-67")
def test_the_limits_have_defaults(tmp_path: Path) -> None:
    settings = loaded(tmp_path, UPSTREAM)
    assert settings.allowed_direct_commands_max_output_lines == 8000
    assert settings.allowed_direct_commands_max_output_bytes == 40000


@pytest.mark.contract("WK-69")
@pytest.mark.parametrize("prefix", ["", LONG.removesuffix("max_output_")])
def test_both_names_are_taken(tmp_path: Path, prefix: str) -> None:
    text = f"{prefix}max_output_lines: 0\n{prefix}max_output_bytes: 7\n"
    settings = loaded(tmp_path, UPSTREAM + text)
    assert settings.allowed_direct_commands_max_output_lines == 0
    assert settings.allowed_direct_commands_max_output_bytes == 7


@pytest.mark.contract("WK-69")
def test_names_that_agree_may_stand_beside_each_other(tmp_path: Path) -> None:
    settings = loaded(tmp_path, UPSTREAM + f"max_output_lines: 5\n{LONG}lines: 5\nmax_output_bytes:\n")
    assert settings.allowed_direct_commands_max_output_lines == 5
    assert settings.allowed_direct_commands_max_output_bytes == 40000


@pytest.mark.contract("WK-69")
def test_names_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    assert problems(tmp_path, UPSTREAM + f"max_output_lines: 5\n{LONG}lines: 6\n") == [
        f"config.yaml:2:19: max_output_lines: contradicts {LONG}lines, which means the same: keep one of them"
    ]


@pytest.mark.contract("WK-69")
def test_a_negative_limit_is_told_under_the_name_it_was_written_by(tmp_path: Path) -> None:
    assert problems(tmp_path, f"max_output_lines: -1\n{LONG}bytes: -1\n" + UPSTREAM) == [
        "config.yaml:1:19: max_output_lines: is too small: write 0 or more",
        f"config.yaml:2:43: {LONG}bytes: is too small: write 0 or more",
    ]


def test_the_environment_wins_over_either_name(tmp_path: Path) -> None:
    environ = {f"WERKZEUGKOPPLER_{LONG.upper()}LINES": "9"}
    settings = loaded(tmp_path, UPSTREAM + "max_output_lines: 5\n", environ)
    assert settings.allowed_direct_commands_max_output_lines == 9


def test_a_command_that_yaml_takes_for_a_yes_is_a_command(tmp_path: Path) -> None:
    settings = loaded(tmp_path, UPSTREAM + "allowed_direct_commands: [yes, true, 7z]\n")
    assert settings.allowed_direct_commands == ("yes", "true", "7z")
