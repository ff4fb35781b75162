"""The bodies of a turn's flows in the log, where its level is DEBUG (WK-154)."""

import logging

from mitmproxy import http

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.secrets import known_secrets
from werkzeugkoppler.gate.redact import redacted
from werkzeugkoppler.labels import METADATA

MAX_CHARS = 8000
"""A conversation may have megabytes; its beginning tells what it is, its end the news."""

logger = logging.getLogger("werkzeugkoppler.payload")


def log_request(flow: http.HTTPFlow, settings: Settings | None) -> None:
    _log(flow, flow.request, "asks", settings)


def log_response(flow: http.HTTPFlow, settings: Settings | None) -> None:
    if flow.response is not None:
        _log(flow, flow.response, f"gets {flow.response.status_code}", settings)


def _log(flow: http.HTTPFlow, message: http.Message, verb: str, settings: Settings | None) -> None:
    # The first question: it is asked for each request, and a body may be large.
    if logger.isEnabledFor(logging.DEBUG) and METADATA in flow.metadata and message.raw_content:
        content = message.get_content(strict=False) or b""
        secrets = known_secrets(settings) if settings else ()
        logger.debug("%s %s: %s", flow.comment, verb, redacted(content, secrets, MAX_CHARS))
