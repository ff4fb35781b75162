"""Decide whether a direct command may run (F20)."""

import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.tools.process import MAX_ARGUMENT_BYTES

type Policy = Literal["first_token", "every_command"]


def check(code: str, patterns: Sequence[str], policy: Policy) -> None:
    """Let a command pass, or refuse it.

    Args:
        patterns: Globs that a command's name has to match, in the case it is written in (WK-57).
        policy: `first_token` looks at the line's first word alone, and the shell runs the rest.

    Raises:
        ApiError: 400, it may not run; the message says what may (WK-58).
    """
    size = len(code.encode("utf-8", "replace"))
    if size > MAX_ARGUMENT_BYTES:  # to look at more would take its time for nothing
        raise _refusal(f"this direct command has {size} bytes, and a shell takes {MAX_ARGUMENT_BYTES}")
    if policy == "every_command":
        names = _every_command(code)
    else:
        names = [_first_token(code)]
    for name in names:
        if not name or not any(_matches(name, pattern) for pattern in patterns):
            allowed = "\n".join(patterns)
            problem = f"`{name}` is not an allowed direct command. Allowed commands are:\n{allowed}"
            raise _refusal(problem)


def _matches(name: str, pattern: str) -> bool:
    # `/usr/local/bin/*` is meant for what is in there, and `..` leads out of it.
    leads_out = ".." in name.split("/") and ".." not in pattern.split("/") and pattern != "*"
    return not leads_out and fnmatchcase(name, pattern)


def _first_token(code: str) -> str:
    # `ls;` is the word `ls`, as in a shell.
    tokens = shlex.shlex(code, posix=True, punctuation_chars=True)
    tokens.whitespace_split, tokens.commenters = True, ""
    try:
        return next(iter(list(tokens)), "")
    except ValueError as error:
        raise _refusal(f"this is no direct command that can be run: {str(error).lower()}") from error


def _every_command(code: str) -> list[str]:
    # The parser takes its time to load: only who has chosen this policy pays for it.
    from werkzeugkoppler.direct.shell_line import RefusedLine, commands_of

    try:
        return commands_of(code)
    except RefusedLine as error:
        raise _refusal(
            f"this direct command holds {error}, and only plain commands may run here, "
            "joined by `;`, `|`, `&&`, `||` or `&` (direct_command_policy is every_command)"
        ) from error


def _refusal(problem: str) -> ApiError:
    return ApiError(400, problem, code="direct_command_not_allowed")
