"""Make a tool of a configured command: schema, argument check, substitution, run, result (WK-95..110)."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread

from werkzeugkoppler.config.tool_sections import Action, Parameter
from werkzeugkoppler.tools import process
from werkzeugkoppler.tools.action_news import listening
from werkzeugkoppler.tools.terminal import ANSI, last_states
from werkzeugkoppler.tools.tool import Progress, Tool, ToolResult

SOURCE = "actions"

HIDDEN_TYPES = ("required_env_var", "optional_env_var")
"""Parameters that come from the environment: the model neither sees nor sets them (WK-96)."""

# A whole name, so that $TEXT does not match in $TEXTURE (WK-99).
PLACEHOLDER = re.compile(r"\$(?:\{([^{}]+)\}|([A-Za-z_][A-Za-z0-9_]*))")


class ActionError(Exception):
    """An action that cannot be run as asked; the text is for the model."""


def action_tool(action: Action, *, root: Path, environ: Mapping[str, str], secrets: Sequence[str]) -> Tool:
    """The tool that runs `action`.

    Args:
        root: The folder that paths are relative to and must stay inside.
        environ: Where environment parameters are read, and what the command inherits.
        secrets: Values that the command does not inherit (BX-17).
    """

    async def run(arguments: dict[str, Any], progress: Progress) -> ToolResult:
        try:
            values, cwd = await anyio.to_thread.run_sync(_prepare, action, arguments, root, environ)
            inherited = process.child_environment(environ, secrets)
            return await _run(action, values, cwd, inherited | values, progress)
        except ActionError as error:
            return _failure(action, str(error))

    return Tool(
        SOURCE,
        action.name,
        action.description,
        parameters_schema(action),
        run,
        costs=action.costs,
        needs_approval=action.approval == "ask",
    )


def parameters_schema(action: Action) -> dict[str, Any]:
    """The JSON schema of the parameters that the model sets (WK-95..97)."""
    visible = [parameter for parameter in action.parameters if parameter.type not in HIDDEN_TYPES]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            parameter.name: {
                "type": "string",
                "description": parameter.description or f"Parameter {parameter.name}",
            }
            for parameter in visible
        },
    }
    if required := [parameter.name for parameter in visible if parameter.default is None]:
        schema["required"] = required
    return schema


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`text` with `$NAME` and `${NAME}` replaced in one pass, so that no value is expanded again (WK-99).

    Names that are no parameter stay as they are.
    """
    return PLACEHOLDER.sub(lambda match: values.get(match[1] or match[2], match[0]), text)


def parse_output(stdout: bytes) -> Any:
    """What a command wrote, as a JSON value, or else as the list of its non-blank lines (WK-108, WK-109).

    Terminal commands are removed, and of a line that was overwritten only the last state counts.
    """
    lines = last_states(stdout.decode(errors="replace"))
    try:
        return json.loads("\n".join(lines), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return [line for line in lines if line.strip()]


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _prepare(
    action: Action, arguments: Mapping[str, Any], root: Path, environ: Mapping[str, str]
) -> tuple[dict[str, str], Path]:
    """The values of the parameters and the folder to run in; it looks at the file system.

    Optional variables that are not set have no value.

    Raises:
        ActionError: An argument is missing, unknown, or names a place that may not be used.
    """
    visible = {parameter.name for parameter in action.parameters if parameter.type not in HIDDEN_TYPES}
    if unknown := sorted(arguments.keys() - visible):
        names = ", ".join(f"'{name}'" for name in unknown)
        raise ActionError(f"Unknown parameters {names} for action '{action.name}'")
    given = {
        parameter.name: _value(action, parameter, arguments, root, environ) for parameter in action.parameters
    }
    cwd = _inside(root, action.run_path or ".")
    if cwd is None or not cwd.is_dir():
        raise ActionError(f"Invalid run_path '{action.run_path}' for action '{action.name}'")
    return {name: value for name, value in given.items() if value is not None}, cwd


def _value(
    action: Action,
    parameter: Parameter,
    arguments: Mapping[str, Any],
    root: Path,
    environ: Mapping[str, str],
) -> str | None:
    if parameter.type in HIDDEN_TYPES:
        value = environ.get(parameter.name, parameter.default)
        if value is None and parameter.type == "required_env_var":
            raise ActionError(
                f"Required environment variable '{parameter.name}' not set for action '{action.name}'"
            )
        return value
    value = _text(arguments.get(parameter.name), parameter.default)
    if value is None:
        raise ActionError(f"Required parameter '{parameter.name}' not provided for action '{action.name}'")
    if parameter.type != "project_file_path":
        return value
    return _project_path(root, value, f"for parameter '{parameter.name}' in action '{action.name}'")


def _text(value: Any, default: str | None) -> str | None:
    """An argument as the command gets it; null counts as not given."""
    if value is None:
        return default
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _project_path(root: Path, value: str, where: str) -> str:
    """The absolute path that is both checked and passed on (WK-102)."""
    path = _inside(root, value) if value.strip() else None  # no path is not the whole project
    if path is None:
        raise ActionError(f"Invalid path '{value}' {where}")
    if not path.exists():
        raise ActionError(f"Path '{value}' {where} does not exist")
    return str(path)


def _inside(root: Path, value: str) -> Path | None:
    """The absolute path, links resolved, or nothing where it leaves the root.

    `~` is expanded, variables are not: a model could read the environment out of an error text.
    """
    try:
        resolved_root = root.resolve()
        path = (resolved_root / Path(value).expanduser()).resolve()
        path.stat()
    except FileNotFoundError:
        pass
    except (OSError, RuntimeError, ValueError):  # a loop of links, no such home, a NUL byte
        return None
    return path if path.is_relative_to(resolved_root) else None


async def _run(
    action: Action, values: Mapping[str, str], cwd: Path, environ: Mapping[str, str], progress: Progress
) -> ToolResult:
    # An optional variable that is not set is empty, as in a shell.
    known = {parameter.name: "" for parameter in action.parameters} | dict(values)
    try:
        argv = (
            shlex.split(action.command) if action.arguments is None else [action.command, *action.arguments]
        )
        with listening(progress) as hear:
            finished = await process.run(
                [substitute(argument, known) for argument in argv],
                cwd=cwd,
                environ=environ,
                timeout_seconds=action.timeout,
                max_output_bytes=action.max_output_bytes,
                hear=hear,
            )
    except (OSError, ValueError) as error:
        raise ActionError(f"Failed to execute action '{action.name}': {error}") from error
    notes = _notes(finished, action.max_output_bytes)
    if finished.timed_out:
        text = f"Command for action '{action.name}' timed out after {action.timeout:g} seconds"
        return _failure(action, text, notes)
    return ToolResult(True, parse_output(finished.stdout), notes)


def _failure(action: Action, text: str, notes: dict[str, Any] | None = None) -> ToolResult:
    return ToolResult(False, f"Local action error on {action.name}: {text}", notes or {})


def _notes(finished: process.Finished, max_output_bytes: int) -> dict[str, Any]:
    """What the model is told beside the output of a command that failed or wrote too much (F21)."""
    notes: dict[str, Any] = {}
    if finished.exit_code != 0:
        notes["exit_code"] = finished.exit_code
        if stderr := ANSI.sub("", finished.stderr_tail.decode(errors="replace")).strip():
            notes["stderr"] = stderr
    if finished.cut:
        notes["output"] = f"cut at {max_output_bytes} bytes, {finished.cut} more were dropped"
    return notes
