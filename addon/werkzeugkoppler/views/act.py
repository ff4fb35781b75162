"""What is done here on a turn's behalf: a tool's arguments and result, a reader's or a command's texts."""

import json
from typing import Any

from mitmproxy import http

from werkzeugkoppler.views.paper import MAX_TREE_LINES, MORE, bounded, fold, members, short, tree
from werkzeugkoppler.views.view import Link, View
from werkzeugkoppler.wire.glance import count, size

MAX_WHOLE_LINES = 10_000
"""Of what a tool is given, which is shown whole: somebody may have to approve it."""
LEFT_OUT = "# NOT ALL OF IT IS SHOWN HERE: see the view Raw"

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
        whose = short(link.get("label", link["kind"]), 200)
        if link["kind"] != "tool":
            lines = fold(text, whole=True)
            amount = count(len(lines) - (not lines[-1]), "line")
            return [f"# {whose} · {title} · {amount} · {size(len(data))}", "", *lines]
        call = [short(link["call_id"])] if link.get("call_id") else []
        head = f"# {' · '.join([whose, title, *call, size(len(data))])}"
        lines = _value(text, whole=isinstance(message, http.Request))
        left_out = [LEFT_OUT] if lines[-1] == MORE else []
        return [head, *left_out, "", *lines]


def _value(text: str, *, whole: bool) -> list[str]:
    """The members of an object, and any other text as it is: a model may have written anything."""
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return fold(text, whole=True)
    limit = MAX_WHOLE_LINES if whole else MAX_TREE_LINES
    if not isinstance(value, dict):
        return bounded(tree("value", value, whole=whole), limit)
    return members(value, limit, whole=whole) or ["{}"]
