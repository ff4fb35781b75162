"""Who may ask: the service key."""

import hmac

from werkzeugkoppler.errors import ApiError, Headers

CHALLENGE: Headers = (("WWW-Authenticate", "Bearer"),)


def check(authorization: str | None, key: str | None) -> None:
    """Let a request pass, or say why not (F6).

    Args:
        authorization: The request's `Authorization` header.
        key: The service key; `None` lets everyone pass (WK-13).

    Raises:
        ApiError: 401 with one of the codes `missing_authorization`, `unsupported_auth_scheme`,
            `invalid_api_key`.
    """
    if key is None:
        return
    scheme, _, token = (authorization or "").strip().partition(" ")
    if not scheme:
        raise _refused(
            "missing_authorization", "No Authorization header: send 'Authorization: Bearer <service_api_key>'"
        )
    if scheme.lower() != "bearer":
        raise _refused(
            "unsupported_auth_scheme",
            "Unsupported Authorization scheme: send 'Authorization: Bearer <service_api_key>'",
        )
    if not hmac.compare_digest(token.strip().encode("utf-8", "surrogateescape"), key.encode()):
        raise _refused("invalid_api_key", "Invalid API key: it is not this server's service_api_key")


def is_allowed(authorization: str | None, key: str | None) -> bool:
    """Whether `check` lets the request pass."""
    try:
        check(authorization, key)
    except ApiError:
        return False
    return True


def _refused(code: str, message: str) -> ApiError:
    return ApiError(401, message, code=code, headers=CHALLENGE)
