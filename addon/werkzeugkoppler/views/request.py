"""A chat request: the messages by role, the tools folded, and what was added here marked."""

from collections.abc import Iterator
from typing import Any

from mitmproxy import http

from werkzeugkoppler.views.message import message_lines
from werkzeugkoppler.views.paper import MAX_ITEMS, bounded, members, short, tree
from werkzeugkoppler.views.view import Link, View
from werkzeugkoppler.wire.glance import count, size
from werkzeugkoppler.wire.jsontext import json_object

ADDED = "added by Werkzeugkoppler"


class Request(View):
    """What a client asks, and what its turn asks the model."""

    name = "Chat request"

    def render(self, data: bytes, message: http.Message, link: Link) -> list[str] | None:
        if not isinstance(message, http.Request) or b'"messages"' not in data:
            return None
        body = json_object(data)
        messages = body.get("messages") if body is not None else None
        if body is None or not isinstance(messages, list):
            return None
        tools = body.get("tools")
        tools = tools if isinstance(tools, list) else []
        lines = [f"# {' · '.join(_head(link, messages, tools, len(data)))}"]
        lines += [""] if len(body) > 1 else []
        lines += members({key: value for key, value in body.items() if key not in ("messages", "tools")})
        lines += _messages(messages, link)
        return [*lines, "", *_tools(tools, _number(link, "our_tools"))] if tools else lines


def _head(link: Link, messages: list[Any], tools: list[Any], length: int) -> Iterator[str]:
    yield f"leg {link['leg']}" if link.get("leg") else "chat request"
    yield count(len(messages), "message")
    if (restored := _number(link, "restored")) > 0:
        yield f"{restored} of them put back from earlier turns"
    yield count(len(tools), "tool")
    yield size(length)


def _messages(messages: list[Any], link: Link) -> list[str]:
    lines: list[str] = []
    shown = messages if len(messages) <= MAX_ITEMS else messages[: MAX_ITEMS // 4]
    shown_last = [] if shown is messages else messages[-MAX_ITEMS * 3 // 4 :]
    first_of_last = len(messages) - len(shown_last)
    for index, message in enumerate(shown):
        lines += _message(message, _origin(index, link))
    if shown_last:
        lines += ["", f"# … {first_of_last - len(shown)} more messages …"]
    for index, message in enumerate(shown_last, first_of_last):
        lines += _message(message, _origin(index, link))
    return lines


def _message(message: Any, origin: str) -> list[str]:
    note = [f"# {origin}"] if origin else []
    if not isinstance(message, dict):
        return ["", *note, *bounded(tree("-", message))]
    words = (message.get("role"), message.get("name"), message.get("tool_call_id"))
    head = " ".join(short(word) for word in words if word) or "message"
    return ["", *note, *message_lines(head, message)]


def _origin(index: int, link: Link) -> str:
    """Who put a message there, where it was not the client."""
    if index < _number(link, "init_messages"):
        return ADDED
    if index == 0 and link.get("merged"):
        return f"in part {ADDED}"
    if 0 < _number(link, "asked") <= index:
        return "of this turn"
    return ""


def _tools(tools: list[Any], ours: int) -> Iterator[str]:
    yield "tools:"
    for index, tool in enumerate(tools[:MAX_ITEMS]):
        if index == len(tools) - ours:
            yield f"  # {ADDED}"
        yield f"  - {_tool(tool)}"
    if len(tools) > MAX_ITEMS:
        yield f"  # … {len(tools) - MAX_ITEMS} more …"


def _tool(tool: Any) -> str:
    function = tool.get("function") or tool.get("custom") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        return short(tool)
    schema = function.get("parameters")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    names = ", ".join(map(str, properties)) if isinstance(properties, dict) else ""
    text = f"{short(function.get('name'))}({short(names)})"
    return f"{text}: {short(function['description'])}" if function.get("description") else text


def _number(link: Link, key: str) -> int:
    value = link.get(key)
    return value if isinstance(value, int) else 0
