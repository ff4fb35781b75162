"""What `replay` and `fork` print, and where it cannot be printed."""

import os
import re
import resource
import signal
import subprocess
import sys
from datetime import datetime
from importlib.abc import MetaPathFinder
from pathlib import Path

import pytest

from tests.e2e.launch import ROOT
from tests.playing.saving import asked_turn, flow_of, save
from werkzeugkoppler.playing import __main__, command
from werkzeugkoppler.playing.fork_command import Out
from werkzeugkoppler.playing.saved import NotSaved

ESCAPE = "\x1b]0;x\x07"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return save(tmp_path / "turns.flows", asked_turn("one"))


def started(*arguments: str, to: str = "") -> subprocess.CompletedProcess[bytes]:
    """The command in a process, with a shell's redirection."""
    words = [sys.executable, "-P", "-O", "-m", "werkzeugkoppler.playing", *arguments]
    environ = os.environ | {"PYTHONPATH": str(ROOT / "addon")}
    script = f'"$@" {to}'
    return subprocess.run(["bash", "-c", script, "sh", *words], capture_output=True, env=environ, timeout=60)


FULL = "stdout cannot be written: No space left on device"


@pytest.mark.parametrize(
    ("form", "to", "words"),
    [
        ("--raw", "> /dev/full", FULL),
        ("--json", "> /dev/full", FULL),
        ("--raw", ">&-", "stdout is closed"),
    ],
)
def test_an_answer_that_cannot_be_shown_is_told_in_a_line(file: Path, form: str, to: str, words: str) -> None:
    done = started("replay", str(file), form, to=to)
    assert done.stderr.decode() == f"the answer cannot be shown, {words}\n"
    assert done.returncode == command.EXIT_USAGE


def test_where_nobody_reads_any_more_nothing_is_said(file: Path) -> None:
    done = started("replay", str(file), "--json", to="| true; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stderr) == (command.EXIT_INTERRUPTED, b"")


def test_nothing_from_the_file_steers_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turn = asked_turn(f"one{ESCAPE}\n", f"Hello{ESCAPE}")
    turn += [flow_of("two\n\x9b", "client", {}), flow_of(f"two{ESCAPE}", "leg", {}, leg=1)]
    file = str(save(tmp_path / "x", turn))
    for arguments in ([], ["--turn", "one"], ["--turn", "two"], ["--turn", ESCAPE]):
        command.main(["replay", file, *arguments])
    err = capsys.readouterr().err
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", err)
    assert "\n  two·]0;x·  " in err


def test_turns_are_listed_by_time_with_what_was_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noon = datetime(2026, 1, 2, 12).timestamp()
    flows = [flow for at in range(23) for flow in asked_turn(f"{at:02}", f"Say\n{at}", noon + at)]
    flows += asked_turn("late", [{"type": "text", "text": "x" * 50}], noon + 60)
    command.main(["replay", str(save(tmp_path / "x", reversed(flows)))])
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "  and 4 older" and len(lines) == 22
    assert lines[2] == "  04  2026-01-02 12:00:04  1 leg, 0 tool calls  Say 4"
    assert lines[-1] == f"  late  2026-01-02 12:01:00  1 leg, 0 tool calls  {'x' * 39}…"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_tool_loops": "many"}, "max_tool_loops is text, not a whole number"),
        ({"tool_memory": {"on": 1}}, "tool_memory.on is no known key"),
    ],
)
def test_settings_that_do_not_fit_are_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, object], words: str
) -> None:
    file = save(tmp_path / "x", asked_turn("one", settings=settings))
    assert command.main(["replay", str(file)]) == command.EXIT_USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"the settings that the client's flow has cannot be used: {words}: ")


def test_what_is_no_file_is_not_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("/dev/full", str(tmp_path / "pipe"), str(tmp_path)):
        with pytest.raises(NotSaved, match=f"^{name} cannot be written: it is no regular file$"):
            Out(name)


def test_a_file_that_is_full_is_told_in_the_end(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        with Out(str(tmp_path / "x")) as out:
            out.write(b"x" * 20)
            out.write(b"y")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert out.problem == f"{tmp_path / 'x'} cannot be written: File too large"
    assert (tmp_path / "x").read_bytes() == b"x" * 10


def test_ctrl_c_while_it_is_still_loaded_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(MetaPathFinder):
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            if name == "werkzeugkoppler.playing.command":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "werkzeugkoppler.playing.command")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    assert __main__.run() == command.EXIT_INTERRUPTED
