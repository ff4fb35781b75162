"""An exchange that somebody replays in mitmproxy: it is done once more, as its flow now says (BX-10).

Only mitmproxy's own user can replay: what a flow's metadata says never comes from a client.
"""

from functools import partial

from mitmproxy import http

from werkzeugkoppler import labels
from werkzeugkoppler.endpoints import again as acts
from werkzeugkoppler.endpoints.call import Call, Reply
from werkzeugkoppler.endpoints.routes import Route
from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.flows import Killed, request_of, response
from werkzeugkoppler.held import unless_killed
from werkzeugkoppler.recording import Recording


def route(flow: http.HTTPFlow) -> Route:
    """What does it; the flow is named anew.

    Raises:
        ApiError: 409, the flow is not replayed.
    """
    labels.begin_again(flow)
    if flow.is_replay != "request":
        raise ApiError(
            409, "this is a part of a turn, and no request of a client", code="not_a_client_request"
        )
    return Route(flow.request.method, partial(_again, flow))


async def _again(flow: http.HTTPFlow, call: Call) -> Reply:
    done = flow.metadata[labels.METADATA]
    work = _asked(flow, call) if done["kind"] in ("leg", "models") else acts.again(call, done)
    try:
        return await unless_killed(flow, work)
    except Killed as error:
        labels.end(flow)  # before mitmproxy's hook for errors, in which the flow is saved
        raise ApiError(403, "killed by the operator", code="killed") from error


async def _asked(flow: http.HTTPFlow, call: Call) -> Reply:
    """Ask the upstream; the flow grows meanwhile."""
    try:
        async with call.stack.upstream.send(request_of(flow)) as answer:
            flow.response = response(answer.status, answer.headers, b"")
            with Recording(flow, flow.response, answer) as recording:
                async for _ in recording.pieces():
                    pass
    except BaseException:
        labels.note_arrivals(flow, [])  # of an answer that is not kept
        raise
    headers = tuple(flow.response.headers.items(multi=True))
    return Reply(flow.response.status_code, headers, flow.response.get_content(strict=False) or b"")
