"""The configuration as values: every key, its type and its default.

What each key is for is written once, in `docs/configuration.md`; a test holds the two together.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from werkzeugkoppler.config.address import ServiceAddress, is_loopback, service_address, upstream_url
from werkzeugkoppler.config.aliases import aliased, without_second_names
from werkzeugkoppler.config.detector_section import Detector
from werkzeugkoppler.config.reader_section import Reader
from werkzeugkoppler.config.section import (
    ApiKey,
    FlooredAtOne,
    NonBlank,
    Seconds,
    Section,
    Texts,
    a_tuple_of,
)
from werkzeugkoppler.config.tool_sections import Action, McpServer, Parameter, Patterns

__all__ = [
    "Action",
    "Detector",
    "Logging",
    "McpServer",
    "Parameter",
    "Reader",
    "Settings",
    "ToolMemory",
    "Traces",
]

ROLES = ("system", "developer", "user", "assistant", "tool")
LEVELS = {name: name for name in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")} | {"WARN": "WARNING"}
"""The names that a log level may be given by, in any case, and what each means."""

AS_WRITTEN = (
    ("mcp_servers", "*", "args", "*"),
    ("mcp_servers", "*", "env", "*"),
    ("actions", "*", "arguments", "*"),
    ("actions", "*", "parameters", "*", "default"),
    ("last_user_message_readers", "*", "arguments", "*"),
    ("allowed_direct_commands", "*"),
)
"""Where a number, a yes or a date is the text that stands in the file: these end on a command line."""


class Traces(Section):
    """The record of each turn, one file a turn."""

    enabled: bool = True
    content: bool = False
    """With what was said, without keys and cut."""
    dir: str | None = None
    keep_days: Annotated[float, Field(ge=0)] = 14
    """Days; 0 = no limit."""
    keep_bytes: Annotated[int, Field(ge=0)] = 256 * 1024 * 1024
    """Bytes of all files together; 0 = no limit."""
    keep_files: Annotated[int, Field(ge=0)] = 20_000
    """0 = no limit."""

    def folder(self, environ: Mapping[str, str]) -> Path:
        """Where the traces go: `dir`, or the user's state folder where none is set (F24)."""
        home = Path(environ.get("HOME") or Path.home())
        if self.dir is not None:
            return home / self.dir[2:] if self.dir.startswith("~/") else Path(self.dir)
        state = Path(environ.get("XDG_STATE_HOME", ""))
        # The XDG specification says to ignore a relative path.
        base = state if state.is_absolute() else home / ".local" / "state"
        return base / "werkzeugkoppler" / "traces"


class ToolMemory(Section):
    """What is kept, in memory alone, of the calls that clients do not see."""

    enabled: bool = True
    entries: Annotated[int, Field(ge=1)] = 4096
    bytes: Annotated[int, Field(ge=1)] = 64 * 1024 * 1024
    """Of all entries together."""
    seconds: Seconds = 86400
    """Since an entry was last used."""


with warnings.catch_warnings():
    # pydantic warns of a field called `json`: a method of that name was given up long ago.
    warnings.simplefilter("ignore", UserWarning)

    class Logging(Section):
        """The log."""

        level: str = "INFO"
        """One of DEBUG, INFO, WARNING, ERROR, CRITICAL."""
        json: bool = False  # type: ignore[assignment]
        """Each line is a JSON object."""

        @field_validator("level")
        @classmethod
        def _known(cls, level: str) -> str:
            return LEVELS.get(level.strip().upper(), "INFO")


def _with_role(message: dict[str, Any]) -> dict[str, Any]:
    if message.get("role") not in ROLES:
        text = f"is missing or unknown: write one of {', '.join(ROLES)}"
        raise PydanticCustomError("within", "{text}", {"text": text, "within": ("role",)})
    return message


def _lowered(mode: Any) -> Any:
    return mode.lower() if isinstance(mode, str) else mode


def _off_as_word(choice: Any) -> Any:
    return "off" if choice is False else choice  # what YAML makes of a bare `off`


Message = Annotated[dict[str, Any], AfterValidator(_with_role)]
"""A chat message: a `role`, and whatever else the upstream understands."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not found, a path, a folder
        raise ValueError("is no known time zone: write an IANA name, such as Europe/Berlin or UTC") from None
    return name


def _existing_folder(name: str) -> str:
    try:
        is_there = Path(name).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL byte, `~nobody`
        is_there = False
    if not is_there:
        raise ValueError("is no folder that is there")
    return name


class Settings(Section):
    """The whole configuration."""

    # The two settings that decide who may listen where come first: `service_base_url` is judged by them.
    service_api_key: ApiKey | None = Field(default=None, repr=False)
    """None lets everyone pass (WK-13)."""
    allow_unauthenticated: bool = False
    service_base_url: str = "http://127.0.0.1:8080"

    upstream_base_url: Annotated[str, AfterValidator(upstream_url)]
    """Without `/v1` and without a slash at its end; or `demo`."""
    upstream_api_key: ApiKey | None = Field(default=None, repr=False)
    upstream_default_model: NonBlank | None = None
    upstream_model: NonBlank | None = None
    """Asked for whatever the client names (OW-23)."""
    upstream_connect_timeout_seconds: Seconds = 10
    upstream_read_timeout_seconds: Seconds = 300
    """The longest silence between two pieces of an answer."""
    upstream_connect_retries: int = 0
    """After the first failure; below 0: until the client leaves."""
    upstream_retry_interval_ms: Annotated[int, Field(ge=0)] = 1000
    upstream_failure_reply: Literal["error", "text"] = "error"
    fallback_fake_model_name: NonBlank = "werkzeugkoppler"

    max_tool_concurrency: FlooredAtOne = 4
    max_tool_loops: FlooredAtOne = 8
    max_concurrent_requests: Annotated[int, Field(ge=1)] = 32
    max_request_bytes: Annotated[int, Field(ge=1)] = 64 * 1024 * 1024
    stream_keepalive_seconds: float = 1.0
    """0 or less: no keepalives."""
    stream_answer_mode: Annotated[Literal["live", "safe_preview"], BeforeValidator(_lowered)] = "live"
    tool_trace: Annotated[
        Literal["auto", "reasoning", "reasoning_content", "off"], BeforeValidator(_off_as_word)
    ] = "auto"
    system_messages: Literal["separate", "merge"] = "separate"
    init_messages: Annotated[tuple[Message, ...], a_tuple_of] = ()
    last_user_message_readers: Annotated[tuple[Reader, ...], a_tuple_of] = ()
    timezone: Annotated[str, AfterValidator(_known_zone)] | None = None
    """An IANA name; None for the machine's own zone."""
    workdir: Annotated[NonBlank, AfterValidator(_existing_folder)] | None = None
    """Where commands work, see `root`; None for the folder that the proxy was started in (OW-70)."""
    mcp_servers: Annotated[tuple[McpServer, ...], a_tuple_of] = ()
    mcp_servers_refresh_seconds: int = 300
    """0 or less: the lists of tools are read again only when a server says that they changed."""
    actions: Annotated[tuple[Action, ...], a_tuple_of] = ()
    allowed_direct_commands: Texts = ()
    """Globs; none: there are no direct commands (WK-77)."""
    allowed_direct_commands_max_output_lines: Annotated[int, Field(ge=0)] = aliased(8000, "max_output_lines")
    """0: no limit."""
    allowed_direct_commands_max_output_bytes: Annotated[int, Field(ge=0)] = aliased(40000, "max_output_bytes")
    """0: no limit."""
    direct_command_policy: Literal["first_token", "every_command"] = "first_token"
    direct_command_timeout_seconds: Annotated[float, Field(ge=0)] = 60
    """0: no limit."""
    detectors: Annotated[tuple[Detector, ...], a_tuple_of] = ()
    authorized_costs: Patterns = ("filesystem_read",)
    """Patterns of the costs that tools may have without being asked about (OW-58)."""
    permission_tool: bool = True
    denied_call_reply: Literal["tool_result", "refusal"] = "tool_result"
    """Who is told of a call that was denied: the model, or the client, and then the answer ends (OW-60)."""
    approval_timeout_seconds: Seconds = 60
    """After which a call that nobody let go is denied."""
    tool_memory: ToolMemory = ToolMemory()
    keep_flows: Annotated[int, Field(ge=0)] = 500
    """In the view of mitmweb and the console; 0: no limit."""
    traces: Traces = Traces()
    logging: Logging = Logging()

    @model_validator(mode="before")
    @classmethod
    def _one_name_for_each(cls, data: Any) -> Any:
        return without_second_names(data) if isinstance(data, dict) else data

    @field_validator("service_base_url")
    @classmethod
    def _safe_to_listen_on(cls, url: str, info: ValidationInfo) -> str:
        host = service_address(url).host
        # A setting that is itself wrong is not in `info.data`: its own problem is the one to mend.
        without_key = info.data.get("service_api_key", "wrong") is None
        allowed = info.data.get("allow_unauthenticated", True)
        if without_key and not allowed and not is_loopback(host):
            raise ValueError(
                "is not a loopback address and there is no key: set service_api_key,"
                " or allow_unauthenticated: true to let everyone in"
            )
        return url.rstrip("/")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys that no command started here may see (BX-17)."""
        return tuple(key for key in (self.service_api_key, self.upstream_api_key) if key)

    @property
    def root(self) -> Path:
        """The folder that readers, actions and direct commands work in."""
        return Path.cwd() if self.workdir is None else Path(self.workdir).expanduser().absolute()

    @property
    def address(self) -> ServiceAddress:
        """Where the service listens."""
        return service_address(self.service_base_url)

    @property
    def host(self) -> str:
        """The host to listen on; an IPv6 address has no brackets."""
        return self.address.host

    @property
    def port(self) -> int:
        """The port to listen on."""
        return self.address.port
