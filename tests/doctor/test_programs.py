"""What is found about the commands of a config."""

import os
from pathlib import Path
from typing import Any

import pytest

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.doctor.finding import Outcome
from werkzeugkoppler.doctor.programs import programs


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def outcome(root: Path, **fields: Any) -> tuple[Outcome, str]:
    """What is said of the one command of a config."""
    environ = {"PATH": os.environ["PATH"]}
    settings = Settings.model_validate({"upstream_base_url": "demo", **fields})
    (finding,) = await programs(settings, root, environ)
    return finding.outcome, finding.seen


def action(**fields: Any) -> dict[str, Any]:
    return {"actions": [{"name": "a", "description": "d", "command": "echo", **fields}]}


def reader(**fields: Any) -> dict[str, Any]:
    return {"last_user_message_readers": [{"name": "r", "command": "cat", **fields}]}


@pytest.mark.parametrize("make", [action, reader])
async def test_a_command_on_the_path_is_fine(tmp_path: Path, make: Any) -> None:
    assert (await outcome(tmp_path, **make(command="ls -l")))[0] is Outcome.OK


@pytest.mark.parametrize("make", [action, reader])
async def test_a_command_that_is_nowhere_fails(tmp_path: Path, make: Any) -> None:
    missing = make(command="no-such-program", arguments=[])
    assert await outcome(tmp_path, **missing) == (Outcome.FAIL, "no-such-program is not found on the PATH")


@pytest.mark.parametrize("make", [action, reader])
async def test_a_run_path_has_to_be_there(tmp_path: Path, make: Any) -> None:
    said, seen = await outcome(tmp_path, **make(run_path="missing"))
    assert said is Outcome.FAIL and "is no folder" in seen


async def test_an_action_stays_below_its_folder(tmp_path: Path) -> None:
    said, seen = await outcome(tmp_path, **action(run_path=".."))
    assert said is Outcome.FAIL and "outside" in seen


async def test_a_program_of_the_folder_is_found_from_there(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "run"
    program.write_text("#!/bin/sh\n")
    wanted = action(command="./run", run_path="bin")
    assert await outcome(tmp_path, **wanted) == (Outcome.FAIL, "./run is no program that can be run")
    program.chmod(0o755)
    assert (await outcome(tmp_path, **wanted))[0] is Outcome.OK


async def test_a_variable_that_an_action_needs_has_to_be_set(tmp_path: Path) -> None:
    needed = [{"name": "TOKEN", "type": "required_env_var"}]
    assert await outcome(tmp_path, **action(parameters=needed)) == (Outcome.FAIL, "not set: TOKEN")


async def test_a_command_that_the_model_chooses_is_warned_of(tmp_path: Path) -> None:
    chosen = [{"name": "WHAT", "type": "insecure_string"}]
    assert (await outcome(tmp_path, **action(command="$WHAT", parameters=chosen)))[0] is Outcome.WARN


async def test_direct_commands_are_those_of_the_shell(tmp_path: Path) -> None:
    fine = await outcome(tmp_path, allowed_direct_commands=["cd", "ls", "no-such-*"])
    assert fine == (Outcome.OK, "cd, ls, no-such-*")
    said, seen = await outcome(tmp_path, allowed_direct_commands=["ls", "no-such-program"])
    assert said is Outcome.WARN and seen.endswith(": no-such-program")
