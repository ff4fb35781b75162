"""Content views for what stands in a turn's flows, as mitmweb and the console show it (BX-09)."""

from mitmproxy import contentviews

from werkzeugkoppler.views.act import Act
from werkzeugkoppler.views.answer import Answer
from werkzeugkoppler.views.request import Request
from werkzeugkoppler.views.view import View

VIEWS: tuple[View, ...] = (Request(), Answer(), Act())


def register() -> None:
    for view in VIEWS:
        contentviews.add(view)


def unregister() -> None:
    # mitmproxy has no way to take a view out again.
    known = contentviews.registry._by_name
    for view in VIEWS:
        if known.get(view.name.lower()) is view:
            del known[view.name.lower()]
