"""The log as the configuration wants it: its level, the libraries' levels, lines of JSON (WK-25, WK-26)."""

import json
import logging
from copy import copy
from datetime import UTC, datetime

from mitmproxy import ctx
from mitmproxy.addons.termlog import TermLog
from mitmproxy.log import MitmLogHandler

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.secrets import known_secrets
from werkzeugkoppler.gate.redact import without_keys

_LIBRARIES = (
    "aiohttp",
    "asyncio",
    "httpcore2",
    "httpx2",
    "mcp",
    "mitmproxy.proxy.server",
)
_WATCHING = "watchfiles"
"""It tells of each change in the config's folder: a log file there would feed itself."""
VERBOSITY = {"DEBUG": "debug", "INFO": "info", "WARNING": "warn", "ERROR": "error", "CRITICAL": "error"}
"""What mitmproxy calls each level."""


class JsonLines(logging.Formatter):
    """A JSON object a line: `timestamp`, `level`, `logger`, `message`, and `exc_info` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exc_info"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class NamedLines(logging.Formatter):
    """mitmproxy's lines as they are, and all others with their level and logger in front.

    Args:
        plain: mitmproxy's formatter.
    """

    def __init__(self, plain: logging.Formatter) -> None:
        super().__init__()
        self._plain = plain

    def format(self, record: logging.LogRecord) -> str:
        if record.name.partition(".")[0] in ("mitmproxy", "root"):
            return self._plain.format(record)
        named = copy(record)
        named.msg, named.args = f"{record.levelname} {record.name}: {record.getMessage()}", None
        return self._plain.format(named)


def set_levels(level: str) -> None:
    """Put our loggers at the configured level, and the libraries' so that they tell news only."""
    logging.getLogger("werkzeugkoppler").setLevel(level)
    for name in _LIBRARIES:
        # At INFO they tell of each request and connection.
        logging.getLogger(name).setLevel("WARNING" if level == "INFO" else level)
    logging.getLogger(_WATCHING).setLevel("WARNING" if level in ("DEBUG", "INFO") else level)


class WithoutKeys(logging.Filter):
    """Takes keys out of lines of the log, whoever wrote them (BX-17)."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: tuple[str, ...] = ()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "werkzeugkoppler.payload":
            return True  # long, and without them already
        text = record.getMessage()
        clean = without_keys(text, self.secrets)
        if clean != text:
            # In place: mitmproxy's handlers do not take another record from a filter.
            record.msg, record.args = clean, None
        if record.exc_info and not record.exc_text:
            trace = logging.Formatter().formatException(record.exc_info)
            record.exc_text = without_keys(trace, self.secrets)
        return True


class Terminal:
    """What the configuration changes about mitmproxy's own output; the console has none.

    Args:
        follows_level: Whether mitmproxy's own verbosity is the configured level; where it was started
            without the launcher, its own flags say.
    """

    def __init__(self, *, follows_level: bool) -> None:
        self._follows_level = follows_level
        self._level = ""
        self._keys = WithoutKeys()
        self._plain: NamedLines | None = None
        self._flow_detail: int | None = None

    def apply(self, config: Settings) -> None:
        """Take over the settings; the same ones again change nothing."""
        settings = config.logging
        self._keys.secrets = known_secrets(config)
        for handler in logging.getLogger().handlers:
            if isinstance(handler, MitmLogHandler):
                handler.addFilter(self._keys)
        set_levels(settings.level)
        if self._follows_level and self._level not in ("", settings.level):
            ctx.options.update(termlog_verbosity=VERBOSITY[settings.level])
        self._level = settings.level
        termlog = ctx.master.addons.get("termlog")
        if not isinstance(termlog, TermLog):
            return
        self._plain = self._plain or NamedLines(termlog.logger.formatter or logging.Formatter())
        termlog.logger.setFormatter(JsonLines() if settings.json else self._plain)
        self._show_flows(not settings.json)

    def _show_flows(self, shown: bool) -> None:
        """mitmdump's lines for each flow are no JSON, so they go where a program reads the log."""
        if "flow_detail" not in ctx.options:
            return
        if not shown and self._flow_detail is None:
            self._flow_detail = ctx.options.flow_detail
            ctx.options.update(flow_detail=0)
        elif shown and self._flow_detail is not None:
            ctx.options.update(flow_detail=self._flow_detail)
            self._flow_detail = None
