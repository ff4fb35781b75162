"""The commands that the config names: whether they are there, with what they need."""

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from werkzeugkoppler.config.reader_section import Reader
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.tool_sections import Action, McpServer
from werkzeugkoppler.doctor.finding import Finding, Outcome
from werkzeugkoppler.tools import process

GLOB = frozenset("*?[")
SHELL = "/bin/sh"
LOOK_SECONDS = 5.0
LOOK_BYTES = 4096


async def programs(settings: Settings, root: Path, environ: Mapping[str, str]) -> list[Finding]:
    """A finding for each action, each reader and the direct commands; none of them is run.

    Args:
        root: The folder that relative paths are relative to.
        environ: Where variables are looked up, PATH among them.
    """
    found = [_action(action, root, environ) for action in settings.actions]
    found += [_reader(reader, root, environ) for reader in settings.last_user_message_readers]
    if settings.allowed_direct_commands:
        child = process.child_environment(environ, settings.secrets)
        found.append(await _direct_commands(settings.allowed_direct_commands, child))
    return found


def missing_command(server: McpServer, root: Path, environ: Mapping[str, str]) -> str:
    """Why an MCP server's command cannot be started; empty where it can."""
    cwd = root / os.path.expanduser(server.cwd or "")
    return _missing(server.command or "", cwd, {**environ, **server.env})


def _action(action: Action, root: Path, environ: Mapping[str, str]) -> Finding:
    name, cwd = f"action {action.name}", root / os.path.expanduser(action.run_path or ".")
    if not cwd.is_dir():
        return Finding(name, Outcome.FAIL, f"run_path {cwd} is no folder", "make it, or mend run_path")
    if not cwd.resolve().is_relative_to(root.resolve()):
        seen = f"run_path {cwd} is outside {root}"
        return Finding(name, Outcome.FAIL, seen, "an action runs below the folder the proxy is started in")
    unset = [
        parameter.name
        for parameter in action.parameters
        if parameter.type == "required_env_var"
        and parameter.default is None
        and parameter.name not in environ
    ]
    if unset:
        return Finding(name, Outcome.FAIL, f"not set: {', '.join(unset)}", "set it in the environment")
    return _command(name, _word(action), cwd, environ)


def _reader(reader: Reader, root: Path, environ: Mapping[str, str]) -> Finding:
    name, cwd = f"reader {reader.name}", root / os.path.expanduser(reader.run_path or "")
    if not cwd.is_dir():
        return Finding(name, Outcome.FAIL, f"run_path {cwd} is no folder", "make it, or mend run_path")
    return _command(name, _word(reader), cwd, environ)


def _word(entry: Action | Reader) -> str:
    """The program that an entry runs."""
    if entry.arguments is not None:
        return entry.command
    return next(iter(shlex.split(entry.command)), "")


def _command(name: str, word: str, cwd: Path, environ: Mapping[str, str]) -> Finding:
    if "$" in word:
        return Finding(name, Outcome.WARN, f"{word} is known only when it is called")
    if why := _missing(word, cwd, environ):
        return Finding(name, Outcome.FAIL, why, "install it, or write its whole path")
    return Finding(name, Outcome.OK, _found(word, cwd, environ) or word)


def _missing(word: str, cwd: Path, environ: Mapping[str, str]) -> str:
    if _found(word, cwd, environ):
        return ""
    where = "no program that can be run" if os.sep in word else "not found on the PATH"
    return f"{word} is {where}"


def _found(word: str, cwd: Path, environ: Mapping[str, str]) -> str | None:
    # A path is relative to the folder that the command runs in.
    sought = str(cwd / word) if os.sep in word else word
    return shutil.which(sought, path=environ.get("PATH"))


async def _direct_commands(patterns: tuple[str, ...], environ: Mapping[str, str]) -> Finding:
    """Whether the shell knows each of them; it has commands of its own."""
    names = [pattern for pattern in patterns if not GLOB & set(pattern)]
    unknown = [name for name in names if not await _is_known(name, environ)]
    if unknown:
        seen = f"unknown to {SHELL}: {', '.join(unknown)}"
        return Finding("direct commands", Outcome.WARN, seen, "install them, or take them out")
    return Finding("direct commands", Outcome.OK, ", ".join(patterns))


async def _is_known(name: str, environ: Mapping[str, str]) -> bool:
    try:
        look = await process.run(
            [SHELL, "-c", 'command -v -- "$1"', SHELL, name],
            cwd=Path.cwd(),
            environ=environ,
            timeout_seconds=LOOK_SECONDS,
            max_output_bytes=LOOK_BYTES,
        )
    except (OSError, ValueError):
        return False
    return look.exit_code == 0
