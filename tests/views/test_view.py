"""Which view is chosen."""

import json
from typing import Any

import pytest

from tests.views.showing import SSE, flow_of, shown_request, shown_response

ACTS = pytest.mark.parametrize("kind", ["tool", "reader", "command"])


@pytest.mark.contract("BX-09")
@ACTS
def test_what_a_model_wrote_chooses_no_view(kind: str) -> None:
    arguments = {"script": "rm -r /", "messages": [{"role": "user", "content": "All is well"}]}
    result = shown_request(arguments, flow_of(kind))
    assert result.view_name == "Tool call" and "rm -r /" in result.text


@pytest.mark.contract("BX-09")
@ACTS
def test_what_is_answered_to_it_chooses_no_view(kind: str) -> None:
    chunk = {"choices": [{"message": {"content": "All is well"}, "delta": {"content": "All is well"}}]}
    assert shown_response(chunk, flow=flow_of(kind)).view_name == "Tool call"
    stream = b"data: " + json.dumps(chunk).encode() + b"\n\n"
    assert shown_response(stream, SSE, flow_of(kind)).view_name == "Tool call"


@pytest.mark.parametrize("kind", ["odd", ["tool"], None])
def test_of_a_kind_that_is_not_ours_the_content_decides(kind: Any) -> None:
    flow = flow_of("client")
    flow.metadata["werkzeugkoppler"]["kind"] = kind
    assert shown_request({"messages": [{"role": "user"}]}, flow).view_name == "Chat request"


def test_a_list_of_models_is_no_chat() -> None:
    assert shown_response({"choices": [{"message": {}}]}, flow=flow_of("models")).view_name == "JSON"


@pytest.mark.contract("BX-09")
@pytest.mark.parametrize("odd", ["\x1b[2J", "\x9b2J", "\x85", "\u202e", "\u2066", "\u200f", "\ud800", "\r"])
def test_what_steers_a_terminal_is_in_no_view(odd: str) -> None:
    text = f"a{odd}b"
    message = {"role": text, "content": [text], "name": text, "tool_calls": [{"function": {"name": text}}]}
    tool = {"function": {"name": text, "description": text, "parameters": {"properties": {text: {}}}}}
    answer = {text: text, "choices": [{"message": message, "delta": message, "finish_reason": text}]}
    stream = b"data: " + json.dumps(answer).encode() + b"\n\n"
    for shown in (
        shown_request({text: text, "messages": [message], "tools": [tool]}),
        shown_response(answer),
        shown_response(stream, SSE),
        shown_request({text: {text: text}}, flow_of("tool", label=text, call_id=text)),
        shown_response(text.encode("utf-8", "replace"), flow=flow_of("command")),
    ):
        assert shown.view_name in ("Chat request", "Chat answer", "Tool call")
        assert all(line.isprintable() for line in shown.text.split("\n")), shown.text
