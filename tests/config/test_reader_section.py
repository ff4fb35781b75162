"""What a reader may be called and what its command may be; and which time zones there are."""

from pathlib import Path

import pytest

from tests.config.files import UPSTREAM, loaded, problems

NAME = "cannot stand in a placeholder: leave off braces and the spaces around it"
QUOTE = "has a quote or a backslash that is not closed: close it, or write the arguments apart"


@pytest.mark.parametrize(
    ("entry", "where", "text"),
    [
        ("{command: c}", "3:5: last_user_message_readers[0].name", "is missing: add `name: ...`"),
        ("{name: a}", "3:5: last_user_message_readers[0].command", "is missing: add `command: ...`"),
        ("{name: 'a}', command: c}", "3:12: last_user_message_readers[0].name", NAME),
        ("{name: ' a', command: c}", "3:12: last_user_message_readers[0].name", NAME),
        ("{name: a, command: it's}", "3:24: last_user_message_readers[0].command", QUOTE),
        (
            "{name: a, command: it's, arguments: {}}",
            "3:41: last_user_message_readers[0].arguments",
            "is a mapping, not a list: write each entry on a line of its own, after a dash",
        ),
    ],
)
def test_a_reader_is_one_that_can_be_run_and_named(tmp_path: Path, entry: str, where: str, text: str) -> None:
    content = f"{UPSTREAM}last_user_message_readers:\n  - {entry}\n"
    assert problems(tmp_path, content) == [f"config.yaml:{where}: {text}"]


def test_a_command_with_arguments_is_not_split(tmp_path: Path) -> None:
    content = f"{UPSTREAM}last_user_message_readers: [{{name: a, command: it's, arguments: []}}]\n"
    assert loaded(tmp_path, content).last_user_message_readers[0].command == "it's"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "''", "../UTC", "Europe", "/etc/localtime"])
def test_a_time_zone_is_one_that_is_known(tmp_path: Path, zone: str) -> None:
    text = "is no known time zone: write an IANA name, such as Europe/Berlin or UTC"
    assert problems(tmp_path, f"{UPSTREAM}timezone: {zone}\n") == [f"config.yaml:2:11: timezone: {text}"]


@pytest.mark.parametrize("folder", ["/no/such/folder", "~no-such-user/x", "/etc/passwd", "nul\\0byte"])
def test_the_project_folder_has_to_be_there(tmp_path: Path, folder: str) -> None:
    text = "is no folder that is there"
    assert problems(tmp_path, f'{UPSTREAM}workdir: "{folder}"\n') == [f"config.yaml:2:10: workdir: {text}"]


def test_the_project_folder_may_be_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "project").mkdir()
    assert loaded(tmp_path, f"{UPSTREAM}workdir: ~/project\n").root == tmp_path / "project"
    assert loaded(tmp_path, UPSTREAM).root == Path.cwd()


def test_the_time_zone_can_be_given_by_the_environment(tmp_path: Path) -> None:
    environ = {"WERKZEUGKOPPLER_TIMEZONE": "Asia/Tokyo"}
    assert loaded(tmp_path, UPSTREAM, environ).timezone == "Asia/Tokyo"
