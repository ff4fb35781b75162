"""Tool calls, readers and commands are shown by what they were given and what they gave."""

import pytest

from tests.views.showing import flow_of, shown_request, shown_response

TEXT = (("content-type", "text/plain; charset=utf-8"),)


@pytest.mark.contract("BX-09")
def test_a_tools_arguments_and_its_result_are_shown_as_a_tree() -> None:
    flow = flow_of("tool", label="search/find", call_id="call_1")
    body = {"query": "x", "deep": {"a": [1, {"b": "c\nd"}]}, "none": {}}
    result = shown_request(body, flow)
    assert result.view_name == "Tool call"
    head, _, rest = result.text.partition("\n\n")
    assert head.startswith("# search/find · arguments · call_1 · ")
    assert rest == "query: x\ndeep:\n  a:\n    - 1\n    -\n      b: |\n        c\n        d\nnone: {}"
    found = {"ok": True, "result": {"content": [{"type": "text", "text": "one\ntwo"}]}}
    assert "ok: true\nresult:\n  content:\n" in shown_response(found, flow=flow).text


@pytest.mark.parametrize("text", ["not json", "[1, 2]", '{"a": ', "", "7", "{}"])
def test_arguments_that_are_no_object_are_shown_as_well(text: str) -> None:
    result = shown_request(text.encode() or b" ", flow_of("tool", label="search/find"))
    assert result.view_name == "Tool call"


@pytest.mark.contract("BX-09")
@pytest.mark.parametrize("kind, title", [("reader", "found"), ("command", "output")])
def test_a_readers_and_a_commands_texts_are_shown_as_they_are(kind: str, title: str) -> None:
    flow = flow_of(kind, label=f"{kind} it")
    shown = shown_response(b"one\n\xfftwo\n", TEXT, flow)
    assert shown.text == f"# {kind} it · {title} · 2 lines · 9 B\n\none\n\ufffdtwo\n"
    assert shown_request(b"What?", flow).text.endswith("\n\nWhat?")
