"""What is done here on a turn's behalf: a tool's arguments and result, a reader's or a command's texts."""

import json
from typing import Any

from mitmproxy import http

from werkzeugkoppler.views.paper import tree
from werkzeugkoppler.views.view import Link, View
from werkzeugkoppler.wire.glance import count, size

_TITLES = {
    ("tool", True): "arguments",
    ("tool", False): "result",
    ("reader", True): "the user's message",
    ("reader", False): "found",
    ("command", True): "command",
    ("command", False): "output",
}
"""What a body is, by the flow's kind and whether it is the request's."""


class Act(View):
    """A tool call, a reader, a direct command."""

    name = "Tool call"
    kinds = frozenset({"tool", "reader", "command"})

    def render(self, data: bytes, message: http.Message, link: Link) -> list[str] | None:
        title = _TITLES.get((str(link.get("kind")), isinstance(message, http.Request)))
        if title is None:
            return None
        text = data.decode("utf-8", "replace")
        whose = str(link.get("label", link["kind"]))
        if link["kind"] != "tool":
            lines = text.split("\n")
            amount = count(len(lines) - (not lines[-1]), "line")
            return [f"# {whose} · {title} · {amount} · {size(len(data))}", "", *lines]
        call = [str(link["call_id"])] if link.get("call_id") else []
        return [f"# {' · '.join([whose, title, *call, size(len(data))])}", "", *_value(text)]


def _value(text: str) -> list[str]:
    """The members of an object, and any other text as it is: a model may have written anything."""
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text.split("\n")
    if not isinstance(value, dict):
        return list(tree("value", value))
    return [line for key, item in value.items() for line in tree(str(key), item)] or ["{}"]
