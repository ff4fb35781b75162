"""The failures that a client is told of, as values that carry what the wire needs."""

import json
from enum import StrEnum
from typing import Any, Self

type Headers = tuple[tuple[str, str], ...]


DO_NOT_RETRY: Headers = (("x-should-retry", "false"),)
"""What OpenAI's SDKs heed: they send a request again by themselves where a 500 or a 502 came back."""


class ApiError(Exception):
    """A request that ends with an OpenAI error object.

    Args:
        status: The HTTP status, where the status line is not out yet.
        message: For people: what is wrong, where, and what to do.
        code: For programs: a stable word in snake_case.
        type: OpenAI's class of error, such as `invalid_request_error` or `server_error`.
        headers: Extra response headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None,
        type: str = "invalid_request_error",
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.type = type
        self.headers = headers

    def error(self) -> dict[str, Any]:
        """The value of the `error` key, the same in a JSON body and in a stream's error event (F18)."""
        return {"message": self.message, "type": self.type, "param": None, "code": self.code}

    def body(self) -> bytes:
        """The JSON response body."""
        return json.dumps({"error": self.error()}, ensure_ascii=False).encode()


def internal_error() -> ApiError:
    """What a client is told of a fault in this program; the log has the rest (OW-52)."""
    return ApiError(500, "internal error, see the log", code="internal_error", type="server_error")


class Cause(StrEnum):
    """Why an upstream brought no whole answer, in the words that a client reads (WK-134)."""

    CONNECTION = "Connection to upstream LLM failed"
    NOT_FOUND = "Upstream LLM model not found"
    INCOMPLETE = "Upstream LLM response payload is not completed"


def cause_of(status: int) -> Cause | None:
    """Why an upstream that refuses with this status may answer at another time; `None` where it never will
    (WK-147)."""
    if status == 404:
        return Cause.NOT_FOUND  # a model that is still being loaded, on some servers
    return Cause.CONNECTION if status == 429 or status >= 500 else None


class UpstreamError(ApiError):
    """The upstream could not be asked, or broke off its answer (F8).

    Its own words arrive as they are: where it answered with a JSON error, `answer` is that body and
    `body()` returns it unchanged.

    Args:
        cause: Why the upstream is away; `None` where it is not, as when it refuses a request.
        can_retry: Whether asking again may help; without a cause it cannot.
        summary: The message without the upstream's own words, which may quote what it was asked; for the
            log and the trace, where no content is to be.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 502,
        answer: bytes | None = None,
        headers: Headers = (),
        cause: Cause | None = None,
        can_retry: bool = True,
        summary: str | None = None,
    ) -> None:
        super().__init__(status, message, code="upstream_error", type="server_error", headers=headers)
        self.answer = answer
        self.cause = cause
        self.can_retry = can_retry and cause is not None
        self.summary = summary or message

    @classmethod
    def told(cls, message: str, answer: bytes) -> Self:
        """The error that an upstream tells within a success: a JSON object with the key `error`.

        Its code, where it is an HTTP status, is what the upstream would have answered had it known in time:
        https://openrouter.ai/docs/errors
        """
        error = json.loads(answer)["error"]
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and 400 <= code <= 599:
            return cls(message, status=code, answer=answer, cause=cause_of(code))
        return cls(message, answer=answer)

    def error(self) -> dict[str, Any]:
        if self.answer is not None:
            error = json.loads(self.answer).get("error")
            if isinstance(error, dict):
                return error
            if isinstance(error, str):
                return super().error() | {"message": error}
        return super().error()

    def body(self) -> bytes:
        return super().body() if self.answer is None else self.answer


class ConfigError(Exception):
    """A configuration that cannot be used.

    `problems` holds one line for each fault, `file:line:col: path: what is wrong: what to do`.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
