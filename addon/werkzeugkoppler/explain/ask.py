"""Ask the running proxy for an explanation."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from werkzeugkoppler.wire.http import EXPLAIN_HEADER

ANSWER_SECONDS = 120.0
"""The readers are run, each with a time limit of its own, and MCP servers may still be connecting."""


class NotExplained(Exception):
    """There is no explanation, and why."""


def ask(url: str, key: str | None, body: bytes) -> dict[str, Any]:
    """The explanation of a request.

    Args:
        url: Of the proxy, with or without `/v1`.
        body: Of the request.

    Raises:
        NotExplained: No proxy is there, or it refuses.
    """
    base = url.rstrip("/").removesuffix("/v1")
    headers = {"Content-Type": "application/json", EXPLAIN_HEADER: "1"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    try:
        request = urllib.request.Request(f"{base}/v1/chat/completions", body, headers)
        status, answer = _sent(request)
    except (ValueError, http.client.InvalidURL) as error:
        raise NotExplained(f"{url} is no URL of a proxy: {error}") from error
    except http.client.HTTPException as error:
        raise NotExplained(f"{base} gives no whole HTTP answer: {error!r}") from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise NotExplained(
            f"no proxy answers at {base}: {reason}: start it (./run.sh), or say where it is (--url URL)"
        ) from error
    if status != 200:
        raise NotExplained(f"{base} answered {status}: {_message(answer)}")
    return _explanation(answer, base)


def _sent(request: urllib.request.Request) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    # Not by way of a proxy that the environment names: this is about the one at the address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
    try:
        response = opener.open(request, timeout=ANSWER_SECONDS)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return int(response.status), bytes(response.read())


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is for the one at the address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _explanation(body: bytes, base: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or answer.get("object") != "werkzeugkoppler.explanation":
        raise NotExplained(f"what answers at {base} is no Werkzeugkoppler that can explain")
    return answer


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return body.decode("utf-8", "replace")[:200]
