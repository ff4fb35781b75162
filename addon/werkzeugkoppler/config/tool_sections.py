"""The sections that describe where tools come from: MCP servers and actions."""

import re
import shlex
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from werkzeugkoppler.config.section import NonBlank, Seconds, Section, Texts, a_tuple_of

RESERVED_SERVER_ID = "actions"
"""The name that the tools made of actions carry."""

_STDIO_KEYS = ("command", "args", "env", "cwd")
_HTTP_KEYS = ("url", "headers")

Patterns = Annotated[tuple[NonBlank, ...], a_tuple_of]
"""Patterns of names, as of files in a shell."""

Costs = Annotated[tuple[NonBlank, ...], a_tuple_of]
"""What a tool can do to the world, in words that `authorized_costs` may list (OW-58)."""

Approval = Literal["never", "ask"]
"""Whether a call waits for somebody who lets it go (BX-11)."""


class McpServer(Section):
    """A server whose tools are offered, started here (`stdio`) or reached over HTTP."""

    server_id: NonBlank
    transport: Literal["stdio", "http"]
    command: NonBlank | None = Field(default=None, validate_default=True)
    args: Texts = ()
    env: dict[str, str] = Field(default={}, repr=False)
    cwd: str | None = None
    url: NonBlank | None = Field(default=None, validate_default=True)
    headers: dict[str, str] = Field(default={}, repr=False)
    allowed_tools: Patterns | None = None
    """Patterns of tool names; None: all of its tools; an empty list: not one."""
    blocked_tools: Patterns = ()
    """Patterns of tool names that are left out even if allowed."""
    costs: Costs | None = None
    """Of each of its tools, beside `mcp_tool:<server>:<tool>`; None: its tools need no authorization."""
    approval: Approval = "never"
    connect_timeout_seconds: Seconds = 10
    read_timeout_seconds: Seconds = 60
    tool_call_timeout_seconds: Seconds = 60

    @field_validator("server_id")
    @classmethod
    def _not_reserved(cls, server_id: str) -> str:
        if server_id == RESERVED_SERVER_ID:
            raise ValueError(f"is {RESERVED_SERVER_ID}, which names the actions: choose another name")
        return server_id

    # `transport` stands above the keys that depend on it: only then is it known here.
    @field_validator(*_STDIO_KEYS)
    @classmethod
    def _for_stdio(cls, value: Any, info: ValidationInfo) -> Any:
        return _fitting(value, info, own="stdio", needed="command")

    @field_validator(*_HTTP_KEYS)
    @classmethod
    def _for_http(cls, value: Any, info: ValidationInfo) -> Any:
        value = _fitting(value, info, own="http", needed="url")
        if info.field_name == "url" and value is not None and not re.match(r"https?://[^/]", value):
            raise ValueError("is no address: write it as http://127.0.0.1:9000/mcp")
        return value


class Parameter(Section):
    """A value that an action's command gets as an environment variable, and may name in its arguments."""

    name: NonBlank
    type: Literal["insecure_string", "project_file_path", "required_env_var", "optional_env_var"]
    description: str | None = None
    default: str | None = None

    @field_validator("name")
    @classmethod
    def _fit_for_the_environment(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError("cannot name an environment variable: use letters, digits and _")
        return name


class Action(Section):
    """A command that is offered to the model as a tool."""

    name: NonBlank
    description: str
    arguments: Texts | None = None
    """None: `command` is a whole command line, to be split as a shell would."""
    command: NonBlank
    parameters: Annotated[tuple[Parameter, ...], a_tuple_of] = ()
    run_path: str | None = None
    timeout: Seconds = 60
    costs: Costs = ()
    approval: Approval = "never"
    max_output_bytes: Annotated[int, Field(ge=1)] = 262144

    # `arguments` stands above: only then is it known here.
    @field_validator("command")
    @classmethod
    def _can_be_split(cls, command: str, info: ValidationInfo) -> str:
        if info.data.get("arguments") is None:
            try:
                shlex.split(command)
            except ValueError as error:
                raise ValueError(f"cannot be split into words ({error}): mend the quotes") from error
        return command


def _fitting(value: Any, info: ValidationInfo, *, own: str, needed: str) -> Any:
    transport = info.data.get("transport")  # missing where it is itself wrong
    if transport == own and info.field_name == needed and value is None:
        raise ValueError(f"is missing: transport {own} needs `{needed}: ...`")
    if transport not in (own, None) and value:
        raise ValueError(f"belongs to transport {own}, and this is {transport}: remove it")
    return value
