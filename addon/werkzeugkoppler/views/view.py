"""What the content views have in common: when they are chosen, and that they never fail."""

import logging
from abc import abstractmethod
from typing import Any

from mitmproxy import http
from mitmproxy.contentviews import Contentview, Metadata, SyntaxHighlight

from werkzeugkoppler.labels import MARKERS, METADATA
from werkzeugkoppler.wire.printable import printable

MAX_BYTES = 1024 * 1024
"""A body is rendered on the event loop, which nothing may hold up for long. mitmproxy's views take more."""

CHOSEN, NOT_MINE = 10.0, -1.0
"""Priorities: above mitmproxy's own views, which go up to 2, and out of the question."""

CHATS = frozenset({"client", "leg"})
"""The kinds of flows of ours that hold a chat; where a flow is none of ours its content decides."""

type Link = dict[str, Any]
"""What `flow.metadata` says of a flow of ours; empty for any other."""

logger = logging.getLogger(__name__)


class View(Contentview):
    """A view that is chosen for exactly the bodies that it can show."""

    kinds = CHATS
    """Of flows of ours: what a model or a tool wrote there does not choose how it is shown."""

    def __init__(self) -> None:
        self._last: tuple[object, object, str | None] = (None, None, None)

    @property
    def syntax_highlight(self) -> SyntaxHighlight:
        return "yaml"

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        return NOT_MINE if self._text(data, metadata) is None else CHOSEN

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        text = self._text(data, metadata)
        if text is None:
            raise ValueError(f"this is no {self.name.lower()}")
        return text

    @abstractmethod
    def render(self, data: bytes, message: http.Message, link: Link) -> list[str] | None:
        """The lines to show, `None` where it is something else.

        Args:
            data: At most `MAX_BYTES`, and not empty.
        """

    def _text(self, data: bytes, metadata: Metadata) -> str | None:
        # Asked for twice, for the priority and for the text: the body of the same message is the same object.
        message = metadata.http_message
        if message is None or not data or len(data) > MAX_BYTES:
            return None
        if self._last[0] is not data or self._last[1] is not message:
            self._last = (data, message, self._rendered(data, message, metadata))
        return self._last[2]

    def _rendered(self, data: bytes, message: http.Message, metadata: Metadata) -> str | None:
        told = metadata.flow.metadata.get(METADATA) if metadata.flow is not None else None
        link = told if isinstance(told, dict) else {}
        kind = link.get("kind")
        if isinstance(kind, str) and kind in MARKERS and kind not in self.kinds:
            return None
        try:
            lines = self.render(data, message, link)
        except Exception:  # boundary: other views can show it
            logger.exception("The view %s could not show a body of %d bytes", self.name, len(data))
            return None
        return None if lines is None else "\n".join(printable(line, kept="\t") for line in lines)
