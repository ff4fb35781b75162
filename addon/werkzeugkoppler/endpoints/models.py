"""`GET /v1/models`: the upstream's list, as it sent it (WK-01)."""

import logging
import time

from werkzeugkoppler.endpoints.call import Call, Reply
from werkzeugkoppler.errors import UpstreamError
from werkzeugkoppler.stack import Stack
from werkzeugkoppler.wire.http import JSON_HEADERS
from werkzeugkoppler.wire.jsontext import dumps

logger = logging.getLogger(__name__)


async def models(call: Call) -> Reply:
    """Answer with the upstream's body, or with a list of one where there is none (WK-02).

    A client that gets no list shows no models, and often refuses to start.
    """
    try:
        body = await call.stack.models(call.link)
    except UpstreamError as error:
        logger.warning("The upstream gives no list of models, a made one is sent: %s", error.summary)
        body = _made(call.stack)
    return Reply(200, JSON_HEADERS, body)


def _made(stack: Stack) -> bytes:
    model = {
        "id": stack.shown_model,
        "object": "model",
        "created": int(time.time()),
        "owned_by": "werkzeugkoppler",
    }
    return dumps({"object": "list", "data": [model]}).encode()
