"""An upstream's answer that is not a success, as an error for the client (WK-151)."""

import json
from collections.abc import AsyncIterator, Collection

from werkzeugkoppler.errors import Headers, UpstreamError, cause_of
from werkzeugkoppler.gate.redact import without_secrets
from werkzeugkoppler.wire.http import HttpAnswer

MAX_ERROR_BYTES = 1024 * 1024
"""Error bodies are short; one that is not is cut."""
SHOWN_CHARS = 500
"""How much of a body that is not JSON is told."""


async def read_refusal(answer: HttpAnswer) -> UpstreamError:
    """The error that the client is told: the upstream's own status and JSON body.

    A body that is no JSON object, such as a proxy's HTML page, is put into words, and a redirect is not
    followed: the key would go along.
    """
    body = b""
    async for piece in answer.pieces:
        body += piece
        if len(body) > MAX_ERROR_BYTES:
            break
    text = body[:MAX_ERROR_BYTES].decode("utf-8", "replace").strip()
    summary = f"the upstream answered {answer.status}"
    message = f"{summary}: {text[:SHOWN_CHARS] or 'nothing more'}"
    if answer.status < 400:
        where = next((value for name, value in answer.headers if name.lower() == "location"), None)
        if where is None:
            return UpstreamError(f"{message}, which is no answer", summary=summary)
        return UpstreamError(
            f"{message} (redirects to {where} are not followed: mend upstream_base_url)", summary=summary
        )
    return UpstreamError(
        message,
        status=answer.status,
        answer=body if len(body) <= MAX_ERROR_BYTES and _is_object(body) else None,
        headers=_kept(answer.headers),
        cause=cause_of(answer.status),
        summary=summary,
    )


def cleaned(
    headers: Headers, pieces: AsyncIterator[bytes], secrets: Collection[str]
) -> tuple[Headers, AsyncIterator[bytes]]:
    """An error without the secrets: some servers write down the key that they were given (BX-17).

    The body comes in one piece, of no more than about `MAX_ERROR_BYTES`.
    """
    return tuple((n, without_secrets(v, secrets)) for n, v in headers), _cleaned(pieces, secrets)


async def _cleaned(pieces: AsyncIterator[bytes], secrets: Collection[str]) -> AsyncIterator[bytes]:
    body, is_cut = b"", False
    async for piece in pieces:
        body += piece
        if is_cut := len(body) > MAX_ERROR_BYTES:
            break
    text = without_secrets(body.decode("utf-8", "surrogateescape"), secrets)
    if is_cut:  # perhaps within a secret, which may be written with escapes
        text = text[: -6 * max(map(len, secrets), default=0) or None]
    if text:
        yield text.encode("utf-8", "surrogateescape")


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _kept(headers: Headers) -> Headers:
    """What tells a client when to try again."""
    return tuple(
        (n, v) for n, v in headers if n.lower() == "retry-after" or n.lower().startswith("x-ratelimit-")
    )
