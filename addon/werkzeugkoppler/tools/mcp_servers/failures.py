"""Say in one sentence what went wrong with an MCP server, for the log, `/healthz` and the model."""

import httpx2
from pydantic import ValidationError

LONGEST_TEXT = 1000
"""In characters: a server's own words may be any number."""


def first_cause(error: BaseException) -> BaseException:
    """What went wrong, out of the groups that the SDK's task groups wrap around it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def explain(error: BaseException) -> str:
    """One line, with what to do where that is known; whoever says it names the server."""
    match error:
        case ValidationError():
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "its beginning"
            return f"its answer breaks the protocol at {place}: {first['msg']}"
        case httpx2.ConnectError():
            return f"it cannot be reached ({_line(error)}): is it running, and is its `url` right?"
        case httpx2.TimeoutException():
            return f"it was silent for too long ({type(error).__name__})"
        case FileNotFoundError():
            return f"it cannot be started: {error.filename} is not there; look at `command` and `cwd`"
        case _:
            return _line(error)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:LONGEST_TEXT] or type(error).__name__
