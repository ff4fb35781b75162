"""No line that `every_command` lets through runs anything but what it names, whatever the shell.

Lines are put together at random from what shells treat specially. Those that pass as nothing but `echo` are
run by real shells, in a folder whose only program leaves a mark.
"""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from werkzeugkoppler.direct.shell_line import RefusedLine, commands_of

PIECES = """
    echo zz zz ; | & && || ( ) { } ' " \\ $ < > >> >& <& >| << <<< 1 2 # ! x= ~ * [ ] - % ^ é
    $' $" $x $$ ` ${ (( )) [[ ]] in do if then esac {zz, 'zz' \\zz ;zz (zz |zz !zz #zz
""".split()
PIECES += [" "] * 6 + ["\n"] * 4 + ["\n\\", "\\\n", "\nzz", "{ zz", "\t", "\u00a0", "\u2028", "\ufeff"]
SHELLS = [
    line for line in (["dash", "-c"], ["bash", "--posix", "-c"], ["bash", "-c"]) if shutil.which(line[0])
]
LINES = 120_000


def lines(count: int) -> set[str]:
    """Lines that pass and name no command but `echo`."""
    chance = random.Random(1)
    passed: set[str] = set()
    for _ in range(count):
        words = [chance.choice(PIECES) for _ in range(chance.randint(3, 14))]
        line = ("echo " * (chance.random() < 0.6) + "".join(words)).strip()
        try:
            if "zz" in line and set(commands_of(line)) == {"echo"}:
                passed.add(line)
        except RefusedLine:
            pass
    return passed


@pytest.mark.slow
def test_no_shell_runs_what_the_policy_did_not_see(tmp_path: Path) -> None:
    programs, mark = tmp_path / "bin", tmp_path / "mark"
    programs.mkdir()
    (programs / "zz").write_text(f"#!/bin/sh\n: > {mark}\n")
    (programs / "zz").chmod(0o755)
    shells = [[shutil.which(name) or name, *rest] for name, *rest in SHELLS]
    passed = lines(LINES)
    assert len(passed) > 500
    for line in sorted(passed):
        for shell in shells:
            environment = {"PATH": os.fspath(programs)}
            folder = tmp_path / "work"
            folder.mkdir(exist_ok=True)
            subprocess.run([*shell, line], cwd=folder, env=environment, capture_output=True, timeout=10)
            assert not mark.exists(), (shell, line)
