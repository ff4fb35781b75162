"""A chat request is checked, and everything in it stays as it was written."""

import json
from typing import Any

import pytest

from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.wire.chat import ROLES, ChatRequest, parse_request
from werkzeugkoppler.wire.jsontext import TOO_LONG

HELLO = {"role": "user", "content": "hello"}


def request(**overrides: Any) -> ChatRequest:
    return parse_request(json.dumps({"messages": [HELLO]} | overrides).encode())


def refusal(body: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse_request(body)
    assert caught.value.status == 400
    return caught.value


def test_a_request_keeps_its_text() -> None:
    body = ' {"messages": [ {"role":"user","content":"ä"} ], "x": 1.0e3}'
    assert parse_request(body.encode()).body.text == body


def test_a_number_that_is_too_long_is_told_in_words_for_clients() -> None:
    for number in ("9" * 6000, f'{{"a": [-{"1" * 6000}]}}'):
        error = refusal(f'{{"messages": [], "seed": {number}}}'.encode())
        assert (error.code, str(error)) == ("bad_json", f"invalid JSON in request body: {TOO_LONG}")


def test_what_a_request_does_not_say_is_told_as_absent() -> None:
    bare = request()
    assert (bare.model, bare.stream, bare.include_usage) == (None, False, False)
    assert (bare.messages, bare.tools, bare.tool_names) == ([HELLO], [], frozenset())


def test_what_a_request_says_is_told() -> None:
    full = request(model="m", stream=True, stream_options={"include_usage": True})
    assert (full.model, full.stream, full.include_usage) == ("m", True, True)


@pytest.mark.parametrize("options", [None, "yes", {}, {"include_usage": False}, {"include_usage": None}])
def test_usage_is_wanted_only_where_it_is_asked_for(options: Any) -> None:
    assert not request(stream=True, stream_options=options).include_usage


@pytest.mark.parametrize("stream", [None, False])
def test_a_request_may_say_that_it_does_not_stream(stream: bool | None) -> None:
    assert not request(stream=stream).stream


def test_the_names_of_the_clients_tools_are_known() -> None:
    tools = [
        {"type": "function", "function": {"name": "add"}},
        {"type": "custom", "custom": {"name": "grep"}},
        {"type": "function", "function": {"name": 1}},
        {"type": "function", "function": "odd"},
        {"type": "web_search"},
    ]
    assert request(tools=tools).tool_names == {"add", "grep"}


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_known_role_is_taken(role: str) -> None:
    assert request(messages=[{"role": role, "content": "x"}]).messages[0]["role"] == role


@pytest.mark.parametrize("content", [None, "", "text", [], [{"type": "text", "text": "x"}]])
def test_a_content_may_be_text_or_parts_or_nothing(content: Any) -> None:
    assert request(messages=[{"role": "user", "content": content}]).messages[0]["content"] == content


def test_a_message_may_have_no_content() -> None:
    assert request(messages=[{"role": "assistant"}]).messages == [{"role": "assistant"}]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"\xff", "bad_json"),
        (b'{"messages":[],"messages":[]}', "bad_json"),
        (b'{"temperature":NaN}', "bad_json"),
        (b"[]", "missing_request_object"),
        (b'"text"', "missing_request_object"),
        (b"{}", "missing_messages"),
        (b'{"messages":null}', "missing_messages"),
        (b'{"messages":[]}', "missing_messages"),
        (b'{"messages":"abc"}', "invalid_message"),
        (b'{"messages":["abc"]}', "invalid_message"),
        (b'{"messages":[{}]}', "invalid_role"),
        (b'{"messages":[{"role":"robot"}]}', "invalid_role"),
        (b'{"messages":[{"role":["user"]}]}', "invalid_role"),
        (b'{"messages":[{"role":"user","content":1}]}', "invalid_content"),
        (b'{"messages":[{"role":"user","content":["a"]}]}', "invalid_content"),
        (b'{"messages":[{"role":"user","content":{}}]}', "invalid_content"),
        (b'{"messages":[{"role":"user"}],"model":1}', "invalid_request"),
        (b'{"messages":[{"role":"user"}],"stream":"yes"}', "invalid_request"),
        (b'{"messages":[{"role":"user"}],"stream":1}', "invalid_request"),
        (b'{"messages":[{"role":"user"}],"tools":{}}', "invalid_request"),
        (b'{"messages":[{"role":"user"}],"tools":["add"]}', "invalid_request"),
    ],
)
def test_a_request_that_cannot_be_used_is_refused_with_a_code(body: bytes, code: str) -> None:
    assert refusal(body).code == code


def test_a_refusal_says_where_the_fault_is() -> None:
    error = refusal(b'{"messages":[{"role":"user"},{"role":"robot"}]}')
    assert error.message.startswith("messages[1].role is 'robot', expected one of assistant, developer,")


@pytest.mark.contract("WK-45")
@pytest.mark.parametrize(
    ("contents", "text"),
    [
        (["first", "last"], "last"),
        ([[{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]], "a\nb"),
        (["first", None], ""),
        ([], ""),
    ],
)
def test_the_last_user_text_is_that_of_the_last_user_message(contents: list[Any], text: str) -> None:
    messages = [{"role": "user", "content": content} for content in contents]
    body = {"messages": [*messages, {"role": "assistant", "content": "hm"}]}
    assert parse_request(json.dumps(body).encode()).last_user_text == text
