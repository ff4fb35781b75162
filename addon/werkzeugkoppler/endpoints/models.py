"""`GET /v1/models`: the upstream's list, as it sent it (WK-01)."""

from werkzeugkoppler.endpoints.call import Call, Reply
from werkzeugkoppler.wire.http import JSON_HEADERS


async def models(call: Call) -> Reply:
    """Answer with the upstream's body.

    Raises:
        UpstreamError: It could not be had.
    """
    return Reply(200, JSON_HEADERS, await call.stack.models(call.link))
