"""Whether a client's request is let in, from its head alone."""

import re

from mitmproxy import http

from werkzeugkoppler import again
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.endpoints import routes
from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.gate import auth
from werkzeugkoppler.gate.limits import Slots, check_size
from werkzeugkoppler.gate.redact import REMOVED, query_without_keys
from werkzeugkoppler.visit import Visit
from werkzeugkoppler.wire.http import EXPLAIN_HEADER

_IS_KEY = re.compile(
    r"(?:.*-)?(?:authorization|api-?key|token|secret|password|cookie)", re.IGNORECASE | re.DOTALL
)
"""The names of headers that hold keys. A flow is saved, exported and looked at: what is in these is taken
out (BX-17)."""

NO = ("", "0", "false", "no", "off")
"""In a header that asks for something: that it does not."""


def admit(
    flow: http.HTTPFlow, visit: Visit, authorization: str | None, settings: Settings, slots: Slots
) -> None:
    """Let a request in, or say why not, before its body is read.

    Args:
        authorization: The header, which is no longer in the flow.

    Raises:
        ApiError: It is not let in.
    """
    headers = flow.request.headers
    if visit.replay_of is not None:
        visit.note_request()
        visit.route = again.route(flow)
        return
    visit.link.mark(flow, "client", "client")
    # Only mitmproxy's own user can replay, and the key is no longer in the flow.
    key = None if flow.is_replay == "request" else settings.service_api_key
    visit.has_key = auth.is_allowed(authorization, key)
    if not routes.is_open(flow.request.path):
        auth.check(authorization, key)
    visit.route = routes.find(flow.request.method, flow.request.path)
    if visit.route.takes_slot:
        visit.slot = slots.take(settings.max_concurrent_requests)
    if headers.get("content-encoding", "identity").lower() != "identity":
        problem = "send the request body without a Content-Encoding"
        raise ApiError(415, problem, code="unsupported_content_encoding")
    check_size(announced(headers.get("content-length")), settings.max_request_bytes)


def wants_explanation(flow: http.HTTPFlow) -> bool:
    """Whether a client asks for a dry run (BX-13): nobody who means one is to have a model asked instead."""
    return flow.request.headers.get(EXPLAIN_HEADER, "").strip().lower() not in NO


def redact(flow: http.HTTPFlow, settings: Settings | None) -> None:
    """Take the secrets out of a flow that is going to be recorded.

    Args:
        settings: Whose keys are taken out wherever they stand in the head.
    """
    request = flow.request
    for name in {name.lower() for name in request.headers.keys() if _IS_KEY.fullmatch(name)}:
        request.headers[name] = REMOVED
    page, query, _ = request.headers.get("referer", "").partition("?")
    if query:
        request.headers["referer"] = f"{page}?{REMOVED}"
    if "?" in request.path:
        request.path = query_without_keys(request.path)  # none is read here (OW-05)
    for secret in (secret.encode() for secret in (settings.secrets if settings is not None else ())):
        if secret in request.data.path:
            request.data.path = request.data.path.replace(secret, REMOVED.encode())
        if any(secret in value for _, value in request.headers.fields):
            fields = request.headers.fields
            request.headers.fields = tuple((n, v.replace(secret, REMOVED.encode())) for n, v in fields)


def announced(header: str | None) -> int:
    """The bytes that a `Content-Length` header speaks of; 0 where it says nothing of use."""
    return int(header) if header is not None and header.isascii() and header.isdigit() else 0
