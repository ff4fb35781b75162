"""Gives the comments room on mitmweb's page, where their column has 150 pixels, however wide the window."""

from mitmproxy import ctx
from tornado.httputil import HTTPHeaders
from tornado.web import OutputTransform

STYLE = b"""<style>
.flow-table .col-comment { width: 55%; }
.flow-table td.col-comment { text-align: left; }
.contentview pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.contentview pre div:empty { min-height: 1lh; }
</style>"""
"""Below the comments: the long lines of a chat are wrapped, and its blank lines have a height."""


class Styled(OutputTransform):
    """Puts the style into a page; mitmweb has no place for it."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """See tornado; a page comes in one chunk."""
        if headers.get("Content-Type", "").startswith("text/html") and b"</head>" in chunk:
            chunk = chunk.replace(b"</head>", STYLE + b"</head>", 1)
            headers["Content-Length"] = str(len(chunk))
        return status_code, headers, chunk


def apply() -> None:
    """Style the page, where mitmproxy runs with one."""
    app = getattr(getattr(ctx, "master", None), "app", None)
    transforms = getattr(app, "transforms", None)
    if isinstance(transforms, list) and Styled not in transforms:
        transforms.append(Styled)
