"""Which endpoint answers which request."""

from dataclasses import dataclass

from werkzeugkoppler.endpoints.call import Endpoint
from werkzeugkoppler.endpoints.chat import chat
from werkzeugkoppler.endpoints.health import health
from werkzeugkoppler.endpoints.models import models
from werkzeugkoppler.errors import ApiError


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint, and what a request has to pass before it."""

    method: str
    endpoint: Endpoint
    is_open: bool = False
    """Answered without the service key, and not traced: it is asked for all the time."""
    takes_slot: bool = False
    """Counts against `max_concurrent_requests`."""


ROUTES = {
    "/healthz": Route("GET", health, is_open=True),
    "/v1/models": Route("GET", models),
    "/v1/chat/completions": Route("POST", chat, takes_slot=True),
}


OTHER_APIS = [
    ["v1", name]
    for name in (
        *("completions", "edits", "engines", "responses", "conversations", "realtime"),
        *("assistants", "threads", "vector_stores", "batches", "fine_tuning", "fine-tunes", "evals"),
        *("files", "uploads", "embeddings", "moderations", "images", "audio", "videos"),
    )
]
"""What OpenAI's API has, or had, at other paths (OW-72): https://platform.openai.com/docs/api-reference"""


def find(method: str, path: str) -> Route:
    """The route of a request.

    Args:
        path: May hold a query, which is not looked at (OW-05).

    Raises:
        ApiError: 404 for a path, 405 for a method that is not served.
    """
    path = path.partition("?")[0]
    route = ROUTES.get(path)
    if route is None:
        served = ", ".join(f"{r.method} {p}" for p, r in ROUTES.items())
        problem = f"nothing is served at {path}{_hint(path)}: this server has {served}"
        raise ApiError(404, problem, code="not_found")
    if method != route.method and (method, route.method) != ("HEAD", "GET"):
        problem = f"{path} takes {route.method}, not {method}"
        raise ApiError(405, problem, code="method_not_allowed", headers=(("Allow", route.method),))
    return route


def _hint(path: str) -> str:
    """Why a client may ask for what is not there."""
    if f"/v1{path}" in ROUTES or path.startswith("/v1/v1/"):
        return " (a client's base URL ends in /v1)"
    if path.split("/")[1:3] in OTHER_APIS:
        return " (of OpenAI's API only chat completions and models are here)"
    return ""


def is_open(path: str) -> bool:
    """Whether a path is answered without the service key."""
    route = ROUTES.get(path.partition("?")[0])
    return route is not None and route.is_open
