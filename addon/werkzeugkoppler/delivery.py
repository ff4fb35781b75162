"""How an answer reaches its client's flow: set on it, or streamed to it by way of the source."""

import asyncio

from mitmproxy import http

from werkzeugkoppler.admission import announced
from werkzeugkoppler.drain import write_to_end
from werkzeugkoppler.endpoints.call import Outlet, Reply, Streamed, Write, error_reply
from werkzeugkoppler.errors import ApiError, Headers
from werkzeugkoppler.flows import response
from werkzeugkoppler.source import Outlet as Pulled
from werkzeugkoppler.source import Source
from werkzeugkoppler.visit import Visit, Visits, set_address


class Delivery:
    """Brings answers to flows.

    Args:
        source: Where mitmproxy pulls streamed answers from.
        visits: Are told of requests that are refused.
    """

    def __init__(self, source: Source, visits: Visits) -> None:
        self._source = source
        self._visits = visits

    def give(self, flow: http.HTTPFlow, visit: Visit, reply: Reply | Streamed) -> None:
        """Answer a request that has come whole."""
        visit.is_answered = True
        if visit.upload is not None:
            visit.upload.answer(reply)
        elif isinstance(reply, Streamed):
            self.stream(flow, visit, reply.write)
        else:
            self._set(flow, visit, reply)

    def refuse(self, flow: http.HTTPFlow, visit: Visit, error: ApiError) -> None:
        """Answer from the request's head alone, without waiting for a body that is announced (OW-15)."""
        visit.is_answered = True
        self._visits.refuse(visit, error)
        reply = error_reply(error)
        headers = flow.request.headers
        has_body = announced(headers.get("content-length")) or "transfer-encoding" in headers
        if has_body and flow.is_replay != "request":  # then the body is here

            async def write(outlet: Outlet, more: Headers) -> None:
                outlet.is_last = True
                outlet.reply(reply.status, (*reply.headers, *more), reply.body)

            flow.request.stream = lambda data: []
            self.stream(flow, visit, write)
        else:
            self._set(flow, visit, reply)

    def stream(self, flow: http.HTTPFlow, visit: Visit, write: Write) -> None:
        """Park an answer, and point the flow at it."""

        async def answerer(outlet: Pulled) -> None:
            visit.outlet = outlet
            try:
                await write_to_end(visit, outlet, write)
            except asyncio.CancelledError:
                visit.name(flow, "cancelled")
                raise
            visit.name(flow, outlet.failure or outlet.status)  # before mitmproxy reads the end, and saves it

        visit.parked = self._source.park(answerer)
        set_address(flow, ("127.0.0.1", self._source.port, b"http", visit.parked.encode()))

    def _set(self, flow: http.HTTPFlow, visit: Visit, reply: Reply) -> None:
        body = b"" if flow.request.method == "HEAD" else reply.body
        flow.response = response(reply.status, (*reply.headers, *visit.headers), body)
        visit.name(flow, reply.status)
