"""A chat request is shown by its messages, with what was added here marked."""

import json
from typing import Any

import pytest

from tests.e2e.declared import WEATHER
from tests.fakes.chunks import Call
from tests.views.showing import flow_of, shown_request

ADDED = "# added by Werkzeugkoppler"
CLOCK = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "Tells\nthe time",
        "parameters": {"properties": {"zone": {}}},
    },
}


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


@pytest.mark.contract("BX-09")
def test_messages_are_shown_by_role_and_what_was_added_is_marked() -> None:
    messages = [{"role": "system", "content": "Be brief."}, user("What time is it?\nNow."), user("Go.")]
    flow = flow_of(leg=2, init_messages=1, asked=2)
    result = shown_request({"model": "m", "messages": messages}, flow)
    assert (result.view_name, result.syntax_highlight) == ("Chat request", "yaml")
    lines = result.text.splitlines()
    assert lines[0].startswith("# leg 2 · 3 messages · 0 tools · ") and "model: m" in lines
    at = lines.index("system: Be brief.")
    assert lines[at - 1] == ADDED
    assert lines[at + 1 :] == [
        "",
        "user: |",
        "  What time is it?",
        "  Now.",
        "",
        "# of this turn",
        "user: Go.",
    ]


@pytest.mark.contract("BX-09")
def test_tools_are_one_line_each_and_ours_are_marked() -> None:
    body = {"messages": [user("Hi")], "tools": [WEATHER, CLOCK]}
    lines = shown_request(body, flow_of(our_tools=1)).text.splitlines()
    assert lines[-4:] == ["tools:", "  - weather()", f"  {ADDED}", "  - clock(zone): Tells the time"]


def test_calls_and_their_results_are_shown_with_their_ids() -> None:
    call = {"role": "assistant", "content": None, "reasoning": "Hm.", "tool_calls": [Call("clock").wire()]}
    result = {"role": "tool", "tool_call_id": "call_1", "name": "clock", "content": "noon"}
    text = shown_request({"messages": [call, result]}).text
    assert "assistant:\n  reasoning: Hm.\n  call clock call_1: {}\n\ntool clock call_1: noon" in text


def test_parts_that_are_no_text_are_named_and_not_shown() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4978}}
    link = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    parts = [{"type": "text", "text": "Look:"}, image, link, {"type": "odd"}, 7]
    text = shown_request({"messages": [user(parts)]}).text
    assert "  Look:\n  [image_url, 5.0 kB]\n  [image_url https://example.org/a.png]\n  [odd]\n  7" in text


def test_a_long_text_is_folded_with_a_count() -> None:
    long = "\n".join(f"line {n}" for n in range(100))
    text = shown_request({"messages": [user(long), user("x" * 5000)]}).text
    assert "… 67 more lines …" in text and "line 99" in text and "line 50" not in text
    assert "xxx… 3000 more characters" in text


def test_many_messages_are_shown_from_both_ends() -> None:
    text = shown_request({"messages": [user(f"no. {n}") for n in range(1000)]}).text
    assert "# … 800 more messages …" in text
    assert "user: no. 49\n" in text and "user: no. 500\n" not in text and text.endswith("user: no. 999")


def test_what_was_put_back_or_merged_is_told() -> None:
    flow = flow_of(leg=1, merged=1, restored=4)
    text = shown_request({"messages": [user("Hi")]}, flow).text
    assert "4 of them put back from earlier turns" in text and "# in part added by" in text


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages": [',
        b'{"messages": "no"}',
        b'["messages"]',
        b'\xff{"messages": []}',
        b'{"messages":' + b"[" * 100_000,
        json.dumps({"messages": [user("x" * 1_100_000)]}).encode(),
        b"",
    ],
    ids=["cut", "a text", "an array", "no text", "deep", "huge", "nothing"],
)
def test_what_is_no_chat_request_is_left_to_other_views(body: bytes) -> None:
    assert shown_request(body).view_name != "Chat request"


def test_the_lines_of_a_tree_are_bounded_as_a_whole() -> None:
    tree = [[[str(i) for i in range(60)] for _ in range(60)] for _ in range(40)]
    lines = shown_request({"messages": [user("Hi")], "odd": tree}).text.splitlines()
    assert len(lines) < 2100 and "… more lines …" in lines
