"""Chat completion requests: what a client's body must be, and what it says."""

from dataclasses import dataclass
from typing import Any

from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.wire.jsontext import JsonObject

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat request that passed the checks; `body` holds every member as it was written."""

    body: JsonObject

    @property
    def model(self) -> str | None:
        return self.body.values.get("model")

    @property
    def stream(self) -> bool:
        return self.body.values.get("stream") is True

    @property
    def include_usage(self) -> bool:
        options = self.body.values.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    @property
    def messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.body.values["messages"]
        return messages

    @property
    def last_user_text(self) -> str:
        """The text of the last message with the role `user`."""
        contents = [message.get("content") for message in self.messages if message["role"] == "user"]
        return text_of(contents[-1]) if contents else ""

    @property
    def tools(self) -> list[dict[str, Any]]:
        return self.body.values.get("tools") or []

    @property
    def tool_names(self) -> frozenset[str]:
        """The function names of the client's own tools."""
        functions = [tool.get("function") or tool.get("custom") for tool in self.tools]
        return frozenset(
            f["name"] for f in functions if isinstance(f, dict) and isinstance(f.get("name"), str)
        )


def text_of(content: Any) -> str:
    """The text of a message's content, parts joined by line breaks (WK-45)."""
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""


def parse_request(body: bytes) -> ChatRequest:
    """Read and check a request's body.

    Unknown members are the upstream's business and stay (OW-48).

    Raises:
        ApiError: 400 with one of the codes `bad_json`, `missing_request_object`, `missing_messages`,
            `invalid_message`, `invalid_role`, `invalid_content`, `invalid_request` (OW-42 to OW-47).
    """
    try:
        # A byte order mark may be ignored: RFC 8259, 8.1.
        request = ChatRequest(JsonObject.parse(body.decode("utf-8-sig")))
    except ValueError as error:
        raise ApiError(400, f"invalid JSON in request body: {error}", code="bad_json") from error
    except TypeError as error:
        raise ApiError(
            400, "the request body must be a JSON object", code="missing_request_object"
        ) from error
    _check(request.body.values)
    return request


def _check(values: dict[str, Any]) -> None:
    if values.get("model") is not None and not isinstance(values["model"], str):
        raise ApiError(400, "model must be a string", code="invalid_request")
    if not isinstance(values.get("stream"), bool | None):
        raise ApiError(400, "stream must be true or false", code="invalid_request")
    messages = values.get("messages")
    if not messages:
        raise ApiError(400, "messages must hold at least one message", code="missing_messages")
    if not isinstance(messages, list):
        raise ApiError(400, "messages must be an array", code="invalid_message")
    for index, message in enumerate(messages):
        _check_message(f"messages[{index}]", message)
    tools = values.get("tools")
    if tools is not None and not (isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)):
        raise ApiError(400, "tools must be an array of objects", code="invalid_request")


def _check_message(where: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise ApiError(400, f"{where} must be an object", code="invalid_message")
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        known = ", ".join(sorted(ROLES))
        raise ApiError(400, f"{where}.role is {role!r}, expected one of {known}", code="invalid_role")
    content = message.get("content")
    parts = isinstance(content, list) and all(isinstance(part, dict) for part in content)
    if not (content is None or isinstance(content, str) or parts):
        problem = f"{where}.content must be a string, an array of parts, or null"
        raise ApiError(400, problem, code="invalid_content")
