"""`run.sh` can be called from anywhere, and what it runs works in the caller's folder."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYTHON = """#!/bin/sh
pwd
printf '%s\\n' "$@"
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose virtual environment is made already; its Python tells how it was called."""
    clone = tmp_path / "the clone"
    (clone / ".venv" / "bin").mkdir(parents=True)
    for name in ("run.sh", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, clone)
    python = clone / ".venv" / "bin" / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    command = 'cat "$0/pyproject.toml" "$0/constraints.txt" | cksum'
    asked_for = subprocess.run(["sh", "-c", command, clone], capture_output=True, check=True).stdout
    (clone / ".venv" / "installed-dev").write_bytes(asked_for)
    return clone


def called(script: Path, cwd: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [script, *arguments], cwd=cwd, capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.splitlines()


def test_the_proxy_works_in_the_folder_that_it_is_started_in(clone: Path, tmp_path: Path) -> None:
    cwd, *arguments = called(clone / "run.sh", tmp_path, "--config", "my config.yaml")
    assert cwd == str(tmp_path)
    assert arguments == ["-P", "-O", "-m", "werkzeugkoppler.cli", "--config", "my config.yaml"]


def test_a_link_to_it_will_do(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "wk").symlink_to(clone / "run.sh")
    assert called(tmp_path / "wk", tmp_path, "web")[-1] == "web"


def test_the_tests_run_in_the_clone(clone: Path, tmp_path: Path) -> None:
    assert called(clone / "run.sh", tmp_path, "test", "-x") == [str(clone), "-m", "pytest", "-x"]


@pytest.mark.parametrize(
    "name, package", [("doctor", "doctor"), ("explain", "explain"), ("inspect", "inspecting")]
)
def test_what_needs_no_proxy_starts_without_one(clone: Path, tmp_path: Path, name: str, package: str) -> None:
    cwd, *arguments = called(clone / "run.sh", tmp_path, name, "my file", "--json")
    assert cwd == str(tmp_path)
    assert arguments == ["-P", "-O", "-m", f"werkzeugkoppler.{package}", "my file", "--json"]
