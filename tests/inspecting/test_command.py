"""`./run.sh inspect`, as it is called."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.e2e.launch import ADDON
from tests.inspecting.events import HEAD, ID, REFUSED, REQUEST, TURN, event, facts, write
from werkzeugkoppler import cli
from werkzeugkoppler.inspecting import terminal, views
from werkzeugkoppler.inspecting.command import LAST_EVENTS, main
from werkzeugkoppler.inspecting.place import configured
from werkzeugkoppler.traces import SUFFIX


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, *TURN)
    write(tmp_path, *REFUSED, id="ffff")
    os.utime(tmp_path / f"{ID}{SUFFIX}", (10, 10))
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> str:
    assert main(["--dir", str(folder), *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.contract("OW-34")
def test_an_id_shows_a_summary(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"trace   {ID}\nstatus  200\n" in shown(capsys, folder, ID)


@pytest.mark.contract("OW-34")
def test_an_unknown_id_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dir", str(folder), "zz"]) == 1
    assert 'no session found for "zz"' in capsys.readouterr().err


def test_the_launcher_knows_it_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", "--dir", str(folder), ID]) == 0
    assert f"trace   {ID}\n" in capsys.readouterr().out


def test_the_last_is_the_newest_chat(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ID in shown(capsys, folder, "--last")
    write(folder, HEAD, event("proxy_request", 60, stream=True), id="eeee")
    os.utime(folder / f"eeee{SUFFIX}", (9, 9))  # it came last, the other was written to later
    assert "trace   eeee" in shown(capsys, folder, "--last")
    assert main(["--dir", str(folder / "none"), "--last"]) == 1


@pytest.mark.contract("OW-35")
@pytest.mark.parametrize(
    "flags, count",
    [
        (["--trace"], LAST_EVENTS),
        (["--full"], LAST_EVENTS + 9),
        (["--tail", "3"], 3),
        (["--trace", "--full"], LAST_EVENTS + 9),
        (["--trace", "--tail", "3"], 3),
    ],
)
def test_events_are_shown_a_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], count: int
) -> None:
    write(tmp_path, *(event("x", number) for number in range(LAST_EVENTS + 9)))
    lines = shown(capsys, tmp_path, ID, *flags).splitlines()
    assert (len(lines), lines[-1]) == (count, "2026-11-21T12:00:00.108Z  x")


@pytest.mark.parametrize("view", ["--tools", "--timing", "--cost", "--permissions", "--trace", "--full"])
def test_every_view_is_there_for_programs_too(
    folder: Path, capsys: pytest.CaptureFixture[str], view: str
) -> None:
    assert shown(capsys, folder, ID, view)
    told = json.loads(shown(capsys, folder, ID, view, "--json"))
    assert isinstance(told, list) and (told or view == "--permissions")


def test_a_summary_for_programs_has_all_facts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(shown(capsys, folder, ID, "--json"))
    assert (told["id"], told["status"], told["ms"], told["models"]) == (ID, "200", 1900, ["small-0815"])
    assert told["usage"]["prompt_tokens"] == 200


def test_the_newest_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, folder, "--list").splitlines()
    assert lines[0].split() == ["trace", "when", "status", "what", "tokens", "time"]
    assert sorted(line.split()[0] for line in lines[1:]) == [ID, "ffff"]
    assert {row["status"] for row in json.loads(shown(capsys, folder, "--list", "--json"))} == {"200", "401"}


def test_lines_that_are_no_events_are_told_beside_the_view(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, *TURN)
    path.write_text(path.read_text() + "half a li")
    assert main(["--dir", str(tmp_path), ID]) == 0
    assert f"line 13 of {ID} is no event" in capsys.readouterr().err


def test_one_trace_is_followed_to_its_end(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, folder, "--follow", ID).splitlines()
    assert len(lines) == len(TURN) and lines[-1].startswith("a1b2c3d4  2026-11-21T12:00:01.900Z")
    told = [json.loads(line) for line in shown(capsys, folder, "--follow", ID, "--json").splitlines()]
    assert told == [{"trace": ID, **event} for event in TURN]


@pytest.mark.parametrize(
    "arguments",
    [[], [ID, "--last"], [ID, "--tools", "--cost"], [ID, "--tail", "0"], [ID, "--tail", "x"], [ID, "--wrong"]]
    + [["--list", "--tools"], [ID, "--trace", "--tools"], [ID, "--full", "--tail", "1"]],
)
def test_what_cannot_be_meant_is_refused_with_the_usage(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--dir", str(folder), *arguments])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: ./run.sh inspect ")


@pytest.mark.contract("OW-32")
@pytest.mark.parametrize(
    "environ, folder",
    [
        ({}, "/home/me/.local/state/werkzeugkoppler/traces"),
        ({"WERKZEUGKOPPLER_TRACES_DIR": "/t"}, "/t"),
        ({"XDG_STATE_HOME": "/s"}, "/s/werkzeugkoppler/traces"),
        ({"WERKZEUGKOPPLER_CONFIG": "mine.yaml"}, "/from/the/config"),
    ],
)
def test_the_traces_are_where_the_proxy_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("{upstream_base_url: demo, traces: {dir: /from/the/config}}")
    assert configured(None, {"HOME": "/home/me"} | environ) == Path(folder)


def test_a_wrong_config_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.yaml").write_text("nonsense: 1")
    assert main(["--last", "--config", str(tmp_path / "wrong.yaml")]) == 2
    assert "nonsense: is no known key" in capsys.readouterr().err


def test_people_get_colours_and_nothing_of_what_was_said_is_taken_for_one() -> None:
    said = REQUEST | {"model": "[bold]a\x1b[31m"}
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    terminal.show(console, [*views.summary(facts(HEAD, said, *TURN[2:])), *views.permissions([])])
    text: Any = console.file
    assert "\x1b[32m200 " in text.getvalue()
    assert "[bold]a·[31m was asked for" in text.getvalue()


def test_nothing_large_is_loaded_for_a_pipe(folder: Path) -> None:
    code = (
        "import sys; from werkzeugkoppler.inspecting.command import main; main(sys.argv[1:]);"
        "print([name for name in ('mitmproxy', 'rich', 'pydantic', 'aiohttp') if name in sys.modules])"
    )
    line = [sys.executable, "-c", code, "--dir", str(folder), ID]
    done = subprocess.run(line, capture_output=True, text=True, timeout=20, env={"PYTHONPATH": str(ADDON)})
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_trace_that_cannot_be_read_is_passed_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / f"dddd{SUFFIX}").mkdir()  # newer than all others
    assert ID in shown(capsys, folder, "--last")
    assert len(shown(capsys, folder, "--list").splitlines()) == 3
    assert main(["--dir", str(folder), "dddd"]) == 1


VIEWS = ["", "--trace", "--full", "--tail=9", "--tools", "--timing", "--cost", "--permissions"]
ODD = ["null", '"x"', "-1", "true", "[]", "5", "1e299", "1e999", "-1e999", "NaN", '"\\ud800"']
ODD += ["1" + "0" * zeros for zeros in (299, 400, 5000)]
ODD += ['{"prompt_tokens": 1e999}', '{"prompt_tokens_details": [1]}', '{"prompt_tokens": {}}']
ODD += ["[" * 99 + "]" * 99]
MORE_KEYS = {"repairs", "code", "reason", "content", "arguments", "retry"}


@pytest.mark.contract("OW-33")
@pytest.mark.parametrize("value", ODD, ids=lambda value: value[:20])
def test_no_value_of_an_event_harms_a_view(
    value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, *TURN[:-1])
    types = {event["type"] for event in TURN} | {"error", "retry", "direct_command", "tool_cancelled", "x"}
    keys = {key for event in TURN for key in event} - {"type"} | MORE_KEYS
    fields = ", ".join(f"{json.dumps(key)}: {value}" for key in sorted(keys))
    odd = [f'{{{fields}, "type": "{type}"}}\n' for type in sorted(types)]
    # Each key by itself too: one line that is left out for it must not hide the others.
    odd += [f'{{"type": "{type}", {json.dumps(key)}: {value}}}\n' for type in types for key in keys]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(odd)
    for view in VIEWS:
        for form in ((), ("--json",)):
            assert main(["--dir", str(tmp_path), ID, *view.split(), *form]) == 0
            told = capsys.readouterr().out
            assert json.loads(told, parse_constant=pytest.fail) is not None if form else told
    assert main(["--dir", str(tmp_path), "--list"]) == 0


def test_an_empty_id_is_no_trace(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dir", str(folder), ""]) == 1
    assert 'no session found for ""' in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_told_in_a_line(folder: Path) -> None:
    command = [sys.executable, "-m", "werkzeugkoppler.cli", "inspect", "--dir", str(folder), ID]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, env={"PYTHONPATH": str(ADDON)}, timeout=60
        )
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert "No space left on device" in line


@pytest.mark.parametrize("price", ["nan", "-5", "inf", "x"])
def test_a_price_is_a_number(price: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--dir", str(folder), ID, "--cost", "--dollar-per-1k-in", price])
    assert "is no price" in capsys.readouterr().err
