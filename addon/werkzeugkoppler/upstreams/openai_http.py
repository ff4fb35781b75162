"""A model server over HTTP, asked through one pool of kept-alive connections."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from types import SimpleNamespace

import aiohttp
from anyio import current_time, move_on_after

from werkzeugkoppler.errors import Cause, Headers, UpstreamError
from werkzeugkoppler.upstreams.base import UpstreamState
from werkzeugkoppler.upstreams.refusal import cleaned
from werkzeugkoppler.wire.http import HttpAnswer, HttpRequest, MadeAnswer

LIST_SECONDS = 10.0
"""The longest silence before a list, such as that of the models: only a chat has to be thought about."""

WHOLE_BYTES = 256 * 1024
"""A body up to this size is written in one piece."""

KEEP_ALIVE_SECONDS = 4.0
"""How long an idle connection is kept: uvicorn, Node and llama.cpp close theirs after five, and a POST
that meets a connection being closed cannot be sent again safely."""

STALE_SECONDS = 1.0
"""How soon after a request a connection ends that was being closed already: later the server had begun."""

MAX_SENDINGS = 3
"""Of one request: a server that closes idle connections closes several at a time."""

DRAIN_SECONDS = 0.1
"""How long to wait for the end of a body whose end mark has come: then its connection is used again."""


class OpenAiHttp:
    """An OpenAI-compatible server.

    Args:
        base_url: Without `/v1`.
        api_key: Sent as a bearer token. It is added here and nowhere else, so that no flow holds it
            (BX-17).
        connect_timeout: Seconds to reach it.
        read_timeout: Seconds of silence between two pieces of an answer.
        secrets: Further values that an error must not echo, beside the key.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None,
        connect_timeout: float,
        read_timeout: float,
        secrets: Iterable[str] = (),
    ) -> None:
        self.base_url = base_url
        self.state = UpstreamState()
        self._key_header: Headers = (("Authorization", f"Bearer {api_key}"),) if api_key else ()
        self._secrets = (*secrets, *([api_key] if api_key else ()))
        self._timeout = _timeout(connect_timeout, read_timeout)
        self._list_timeout = _timeout(connect_timeout, min(read_timeout, LIST_SECONDS))
        # The library's timeouts do not count while a body is being sent: that may take as long as an answer.
        self._head_seconds = connect_timeout + 2 * read_timeout
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            # Compressed events would come in bursts.
            headers={"Accept-Encoding": "identity", "User-Agent": "werkzeugkoppler"},
            trust_env=False,
            trace_configs=[_noting_kept_connections()],
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def send(self, request: HttpRequest) -> AsyncIterator[HttpAnswer]:
        """See `Upstream.send`."""
        assert self._session is not None, "open() comes first"
        with self._renamed_errors(Cause.CONNECTION):
            async with asyncio.timeout(self._head_seconds):  # a third of what `fail_after` takes
                response = await self._head_of(request)
        self.state.ok, self.state.error = True, None
        try:
            headers, pieces = tuple(response.headers.items()), self._pieces(response)
            if not 200 <= response.status < 300:
                headers, pieces = cleaned(headers, pieces, self._secrets)
            yield MadeAnswer(response.status, headers, pieces, response.close)
            if not response.content.at_eof():
                # The answer is complete: how its connection ends is nobody's trouble.
                with move_on_after(DRAIN_SECONDS), suppress(aiohttp.ClientError, TimeoutError, OSError):
                    await response.content.readany()
        finally:
            response.close()  # gives the connection back where the body was read to its end

    async def _head_of(self, request: HttpRequest) -> aiohttp.ClientResponse:
        """Send a request until its answer begins.

        A connection that was kept alive may be closing just then. Where it ends at once, before the head of
        an answer, the request goes out again on another one; on a new connection it has failed.
        """
        assert self._session is not None
        for further in reversed(range(MAX_SENDINGS)):  # pragma: no branch - the last one returns or raises
            sent, began = _Sent(), current_time()
            try:
                return await self._session.request(
                    request.method,
                    request.url,
                    data=_body(request.body),
                    headers=[*request.headers, *self._key_for(request.url)],
                    allow_redirects=False,  # the key would go along
                    timeout=self._list_timeout if request.method == "GET" else self._timeout,
                    trace_request_ctx=sent,
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                is_stale = sent.on_kept_connection and current_time() - began < STALE_SECONDS
                if not is_stale or not further:
                    raise
        raise AssertionError("not reached")

    def _key_for(self, url: str) -> Headers:
        """The key goes to the server it is for, also where somebody edited the flow's address."""
        return self._key_header if url.startswith(f"{self.base_url}/") else ()

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        with self._renamed_errors(Cause.INCOMPLETE):
            async for piece in response.content.iter_any():
                yield piece

    @contextmanager
    def _renamed_errors(self, cause: Cause) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            message = f"the upstream {self.base_url} failed: {_in_words(error)}"
            self.state.ok, self.state.error = False, message
            if cause is Cause.INCOMPLETE and isinstance(error, TimeoutError):
                # The answer had begun: to ask again would have a slow model write it all once more.
                raise UpstreamError(message, cause=Cause.CONNECTION, can_retry=False) from error
            raise UpstreamError(message, cause=cause) from error


@dataclass(slots=True)
class _Sent:
    """One sending of a request."""

    on_kept_connection: bool = False
    """An earlier request had used its connection."""


def _noting_kept_connections() -> aiohttp.TraceConfig:
    async def note(_session: object, context: SimpleNamespace, _params: object) -> None:
        context.trace_request_ctx.on_kept_connection = True

    config = aiohttp.TraceConfig()
    config.on_connection_reuseconn.append(note)
    return config


def _body(body: bytes) -> bytes | BytesIO | None:
    # A large one is sent in portions, between which others get their turn.
    return BytesIO(body) if len(body) > WHOLE_BYTES else body or None


def _timeout(connect: float, read: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect, sock_read=read)


def _in_words(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorError():
            return f"cannot connect: {error.os_error.strerror or error.os_error}"
        case aiohttp.ConnectionTimeoutError():
            return "no connection within upstream_connect_timeout_seconds"
        case TimeoutError():
            return "nothing came within upstream_read_timeout_seconds"
        case aiohttp.ServerDisconnectedError():
            return "it closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "it broke off in the middle of its answer"
        case _:
            return f"{type(error).__name__}: {error}"
