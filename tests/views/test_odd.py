"""No body, however odd, makes a view fail, and no two of them want the same."""

import json
import logging
from collections.abc import Callable
from logging.handlers import BufferingHandler
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import contentviews
from mitmproxy.contentviews import ContentviewResult, Metadata
from mitmproxy.test.tflow import tflow

from tests.views.showing import SSE, flow_of, shown_request, shown_response
from werkzeugkoppler import views

KEYS = st.sampled_from(
    ["messages", "role", "content", "tool_calls", "function", "name", "arguments", "id", "choices", "delta"]
    + ["message", "index", "finish_reason", "usage", "total_tokens", "tools", "error", "type", "text", "odd"]
    + ["image_url", "parameters", "properties", "custom", "completion_tokens_details", "reasoning_content"]
)
LEAVES = (
    st.none() | st.booleans() | st.integers(-1, 3) | st.floats() | st.text(max_size=5) | st.just("\ud800")
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)
LISTS = st.lists(VALUES, max_size=4) | VALUES
KINDS = st.sampled_from(["client", "leg", "tool", "reader", "command", "models"])
LINKS = st.dictionaries(
    st.sampled_from(["init_messages", "asked", "our_tools", "restored", "merged", "arrivals", "call_id"]),
    LISTS,
)


@given(VALUES, LISTS, LISTS, KINDS, LINKS)
def test_no_request_makes_a_view_fail(
    body: Any, messages: Any, tools: Any, kind: str, link: dict[str, Any]
) -> None:
    whole = {**(body if isinstance(body, dict) else {}), "messages": messages, "tools": tools}
    for odd in (whole, body):
        assert_shown(lambda odd=odd: shown_request(odd, flow_of(kind, **link)))  # type: ignore[misc]


@given(LISTS, VALUES, KINDS, LINKS)
def test_no_answer_makes_a_view_fail(choices: Any, usage: Any, kind: str, link: dict[str, Any]) -> None:
    chunk = {"choices": choices, "usage": usage}
    assert_shown(lambda: shown_response(chunk, flow=flow_of(kind, **link)))
    stream = b"".join(b"data: " + json.dumps(part).encode() + b"\n\n" for part in (chunk, usage, chunk))
    assert_shown(lambda: shown_response(stream, SSE, flow_of(kind, **link)))


@given(st.binary(max_size=60), KINDS)
def test_no_bytes_make_a_view_fail(data: bytes, kind: str) -> None:
    for body in (data, b'{"messages": [' + data, b'data: {"choices": [' + data + b"\n\n"):
        assert_shown(lambda body=body: shown_request(body, flow_of(kind)))  # type: ignore[misc]
        assert_shown(lambda body=body: shown_response(body, SSE, flow_of(kind)))  # type: ignore[misc]


def test_a_view_that_fails_leaves_the_body_to_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(views.VIEWS[0], "render", broken)
    assert shown_request({"messages": [{"role": "user"}]}).view_name == "JSON"
    assert "The view Chat request could not show" in caplog.text


def test_flows_of_others_and_bare_data_are_no_matter() -> None:
    chat = b'{"messages": [{"role": "user", "content": "Hi"}]}'
    assert shown_request(chat, tflow()).view_name == "Chat request"
    assert all(view.render_priority(chat, Metadata()) < 0 for view in views.VIEWS)


def test_views_are_there_while_they_are_registered() -> None:
    views.register()
    assert {"chat request", "chat answer", "tool call"} <= set(contentviews.registry)
    views.unregister()
    assert not {"chat request", "chat answer", "tool call"} & set(contentviews.registry)


def assert_shown(show: Callable[[], ContentviewResult]) -> None:
    handler = BufferingHandler(100)
    logger = logging.getLogger("werkzeugkoppler.views.view")
    logger.addHandler(handler)
    try:
        result = show()
    finally:
        logger.removeHandler(handler)
    assert not handler.buffer
    assert result.view_name not in {view.name for view in views.VIEWS} or result.text.encode()
    assert "failed to parse as Chat" not in result.description
