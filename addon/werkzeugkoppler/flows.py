"""Flows for what is done here: messages of ours as mitmproxy's, and back."""

import time
from enum import Enum, auto
from functools import lru_cache
from http import HTTPStatus

from mitmproxy import connection, http
from mitmproxy.flow import Error
from mitmproxy.net.http.url import parse

from werkzeugkoppler.config.address import authority
from werkzeugkoppler.errors import Headers
from werkzeugkoppler.wire.http import HttpRequest

_TRANSFER_HEADERS = ("content-encoding", "transfer-encoding", "content-length")


def response(status: int, headers: Headers, body: bytes) -> http.Response:
    """A response with a whole body, whatever transfer the headers speak of."""
    now = time.time()
    reason = HTTPStatus(status).phrase.encode() if status in HTTPStatus else b""
    kept = tuple((n, v) for n, v in headers if n.lower() not in _TRANSFER_HEADERS)
    return http.Response(b"HTTP/1.1", status, reason, _fields(kept, len(body)), body, None, now, now)


def make_flow(client_conn: connection.Client, request: HttpRequest) -> http.HTTPFlow:
    """A flow for a request that is made here, for a client."""
    scheme, host, port, path = _parsed(request.url)
    now = time.time()
    headers = (("host", authority(scheme.decode(), host, port)), *request.headers)
    flow = http.HTTPFlow(client_conn, _server(host, port), live=True)
    flow.request = http.Request(
        host=host,
        port=port,
        method=request.method.encode(),
        scheme=scheme,
        authority=b"",
        path=path,
        http_version=b"HTTP/1.1",
        headers=_fields(headers, len(request.body)),
        content=request.body,
        trailers=None,
        timestamp_start=now,
        timestamp_end=now,
    )
    return flow


@lru_cache(maxsize=256)
def _parsed(url: str) -> tuple[bytes, str, int, bytes]:
    # Few addresses are asked again and again, and mitmproxy checks each as if it came from the wire.
    scheme, host, port, path = parse(url)
    return scheme, host.decode(), port, path


@lru_cache(maxsize=256)
def _server(host: str, port: int) -> connection.Server:
    # Shared by the flows to one address: a flow only shows it, and making one takes its time.
    return connection.Server(address=(host, port))


def request_of(flow: http.HTTPFlow) -> HttpRequest:
    """What is sent: the flow's request as the addon chain left it."""
    request = flow.request
    headers = [(n.decode(), v.decode("utf-8", "surrogateescape")) for n, v in request.headers.fields]
    kept = tuple((n, v) for n, v in headers if n.lower() not in ("host", "content-length"))
    url = f"{request.scheme}://{authority(request.scheme, request.host, request.port)}{request.path}"
    return HttpRequest(request.method, url, kept, request.get_content(strict=False) or b"")


def _fields(headers: Headers, length: int) -> http.Headers:
    headers = (*headers, ("content-length", str(length)))
    return http.Headers([(n.encode(), v.encode("utf-8", "surrogateescape")) for n, v in headers])


class Killed(Exception):
    """Somebody killed the exchange's flow."""


class Kill(Enum):
    """When somebody killed an exchange's flow."""

    BEFORE = auto()
    """Nothing has been done."""
    DURING = auto()
    """It was broken off, and may have been done in part."""
    AFTER = auto()
    """It has been done, and what came of it is withheld."""


CANCELLED = "cancelled"
"""The error's message of a flow whose client left, or whose proxy was stopped."""


def is_cancelled(flow: http.HTTPFlow) -> bool:
    return flow.error is not None and flow.error.msg == CANCELLED


def is_killed(flow: http.HTTPFlow) -> bool:
    return flow.error is not None and flow.error.msg == Error.KILLED_MESSAGE


def check_killed(flow: http.HTTPFlow) -> None:
    """Raise `Killed` where somebody killed the flow."""
    if is_killed(flow):
        raise Killed
