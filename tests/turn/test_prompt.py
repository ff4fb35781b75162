"""The upstream is asked what the client asked, with ours put in."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from werkzeugkoppler.turn.prompt import Draft, compose
from werkzeugkoppler.wire.assemble import ToolCall
from werkzeugkoppler.wire.chat import parse_request

HELLO = {"role": "user", "content": "hello"}
OURS = '{"type":"function","function":{"name":"server__add"}}'
THEIRS = {"type": "function", "function": {"name": "edit_file"}}


def system(content: Any, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": content}


def draft(
    body: str | None = None,
    *,
    init_messages: Sequence[dict[str, Any]] = (),
    merge_system: bool = False,
    our_tools: Sequence[str] = (),
    model: str = "m",
    **members: Any,
) -> Draft:
    """The draft for a request, given as its text or as members beside one message."""
    text = body or json.dumps({"model": "m", "messages": [HELLO]} | members)
    return compose(
        parse_request(text.encode()),
        init_messages=init_messages,
        merge_system=merge_system,
        tools=our_tools,
        model=model,
    )


def sent(body: str | None = None, **overrides: Any) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(draft(body, **overrides).body())
    return members


def test_a_request_that_nothing_is_added_to_passes_as_it_was_written() -> None:
    body = (
        ' {"x" : 1.0e3, "model":"m",\n"messages":[{"role":"user", "content":"\\u00e4"}] , "temperature":0.70}'
    )
    assert draft(body).body() == body.encode()


def test_our_messages_stand_before_the_clients_with_all_their_fields() -> None:
    init = [system("be kind") | {"name": "boss"}, {"role": "user", "content": "ä", "x": 1}]
    assert sent(init_messages=init)["messages"] == [*init, HELLO]


def test_the_clients_messages_stay_as_they_were_written() -> None:
    message = '{"role":"user",  "content":"\\u00e4", "x":1.0e0}'
    body = draft(f'{{"model":"m","messages":[ {message} ]}}', init_messages=[system("s")]).body()
    assert body.endswith(f",{message}]}}".encode())


@pytest.mark.contract("OW-23", "WK-149")
@pytest.mark.parametrize("asked", [{}, {"model": None}, {"model": "other"}, {"model": "m"}])
def test_the_model_is_the_one_that_is_to_answer(asked: dict[str, Any]) -> None:
    assert sent(json.dumps({"messages": [HELLO]} | asked), model="m")["model"] == "m"


# Tools


def test_our_tools_follow_the_clients() -> None:
    assert sent(tools=[THEIRS], our_tools=[OURS])["tools"] == [THEIRS, json.loads(OURS)]


def test_the_clients_tools_stay_as_they_were_written() -> None:
    theirs = '{"type":"function",  "function":{"name":"a", "x":1.0e0}}'
    body = f'{{"model":"m","messages":[{json.dumps(HELLO)}],"tools":[ {theirs} ]}}'
    assert f'"tools":[{theirs},{OURS}]'.encode() in draft(body, our_tools=[OURS]).body()
    assert f'"tools":[ {theirs} ]'.encode() in draft(body).body()


@pytest.mark.parametrize("tools", [None, []])
def test_no_tools_are_sent_where_there_are_none(tools: Any) -> None:
    assert "tools" not in sent(tools=tools)
    assert sent(tools=tools, our_tools=[OURS])["tools"] == [json.loads(OURS)]


def test_without_any_tools_the_request_says_nothing_of_tools() -> None:
    assert "tools" not in sent()


# Streams and choices


def test_a_stream_is_always_asked_for_its_usage() -> None:
    assert sent(stream=True)["stream_options"] == {"include_usage": True}
    options = {"include_usage": False, "include_obfuscation": False}
    assert sent(stream=True, stream_options=options)["stream_options"] == options | {"include_usage": True}
    assert sent(stream=True, stream_options=None)["stream_options"] == {"include_usage": True}


def test_options_that_ask_for_usage_already_stay_as_they_were_written() -> None:
    options = '"stream_options":{ "include_usage" : true}'
    body = f'{{"model":"m","messages":[{json.dumps(HELLO)}],"stream":true,{options}}}'
    assert options.encode() in draft(body).body()


def test_a_plain_request_says_nothing_of_streams() -> None:
    assert "stream_options" not in sent()


@pytest.mark.parametrize(
    ("asked", "expected"), [({}, None), ({"n": 3}, 1), ({"stream": True}, 1), ({"stream": True, "n": 2}, 1)]
)
def test_one_choice_is_asked_for(asked: dict[str, Any], expected: int | None) -> None:
    assert sent(**asked).get("n") == expected


# One system message


def test_system_messages_are_merged_where_the_template_takes_only_one() -> None:
    client = [
        system("theirs"),
        system([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "developer"),
        HELLO,
    ]
    merged = sent(init_messages=[system("ours")], merge_system=True, messages=client)["messages"]
    assert merged == [system("ours\n\ntheirs\n\na\nb"), HELLO]


def test_only_the_leading_system_messages_are_merged() -> None:
    init = [system("ours"), {"role": "user", "content": "example"}]
    client = [system("theirs"), HELLO, system("late")]
    merged = sent(init_messages=init, merge_system=True, messages=client)["messages"]
    assert merged == [system("ours\n\ntheirs"), init[1], HELLO, system("late")]


@pytest.mark.parametrize(
    ("init", "client"),
    [
        ([], [system("theirs"), system("more"), HELLO]),
        ([system("ours")], [HELLO]),
        ([system("ours")], [system([{"type": "image_url"}]), HELLO]),
        ([system("ours")], [system(None), HELLO]),
        ([HELLO], [system("theirs"), HELLO]),
    ],
)
def test_what_cannot_be_merged_stays(init: list[dict[str, Any]], client: list[dict[str, Any]]) -> None:
    assert sent(init_messages=init, merge_system=True, messages=client)["messages"] == [*init, *client]


# The legs after the first


CALL = ToolCall("call_1", "server__add", "{}")
SAID = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1"}]}


def test_the_next_leg_ends_with_the_message_and_the_results_of_its_calls() -> None:
    followed = draft().followed_by(SAID, [(CALL, '{"ok": true}')])
    assert json.loads(followed.body())["messages"] == [
        HELLO,
        SAID,
        {"role": "tool", "tool_call_id": "call_1", "name": "server__add", "content": '{"ok": true}'},
    ]


def test_each_leg_begins_with_the_bytes_of_the_leg_before() -> None:
    first = draft(init_messages=[system("ours")], stream=True, our_tools=[OURS], x=1.5)
    second = first.followed_by(SAID, [(CALL, "3")]).with_free_choice()
    messages = json.dumps([HELLO])[1:-1].encode()
    before, after = first.body().split(messages)
    assert second.body().startswith(before + messages + b",")
    assert second.body().endswith(after[1:])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("required", "auto"),
        ({"type": "function", "function": {"name": "server__add"}}, "auto"),
        ("auto", "auto"),
        ("none", "none"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [1]}},
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [1]}},
        ),
    ],
)
def test_a_choice_that_was_forced_is_free_afterwards(choice: Any, expected: Any) -> None:
    forced = draft(tool_choice=choice)
    assert json.loads(forced.body())["tool_choice"] == choice
    assert json.loads(forced.with_free_choice().body())["tool_choice"] == expected


def test_a_choice_of_no_known_form_is_free_afterwards() -> None:
    odd = draft(tool_choice={"type": "allowed_tools", "allowed_tools": None}).with_free_choice()
    assert json.loads(odd.body())["tool_choice"]["allowed_tools"] == {"mode": "auto"}


def test_a_choice_that_nobody_made_stays_unmade() -> None:
    assert "tool_choice" not in json.loads(draft().with_free_choice().body())
