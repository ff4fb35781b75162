"""How an answer looks in the terminal."""

import json
from typing import Any

import pytest

from tests.fakes.chunks import DONE, chunk, event
from werkzeugkoppler.playing.show import Shown


def shown(*pieces: bytes, is_coloured: bool = False) -> str:
    texts: list[str] = []
    show = Shown(texts.append, is_coloured=is_coloured)
    for piece in pieces:
        show.feed(piece)
    show.close()
    return "".join(texts)


def deltas(*told: dict[str, Any]) -> bytes:
    return b"".join(event(chunk(delta)) for delta in told) + DONE


def test_reasoning_is_marked_line_by_line_and_the_text_is_not() -> None:
    told = deltas(
        {"reasoning": "\n\nFirst"}, {"reasoning": ".\n\nThen.\n\n"}, {"content": "So"}, {"content": "!"}
    )
    assert shown(told) == "| First.\n| \n| Then.\nSo!\n"
    assert shown(told[:50], told[50:]) == shown(told)


def test_line_breaks_between_two_pieces_of_reasoning_stay() -> None:
    told = deltas({"reasoning": "one\n"}, {"reasoning": "\n"}, {"reasoning": "two"})
    assert shown(told) == "| one\n| \n| two\n"


def test_colours_are_for_terminals() -> None:
    told = deltas({"reasoning_content": "Hm."}, {"content": "So."})
    assert shown(told, is_coloured=True) == "\x1b[2m| Hm.\x1b[0m\nSo.\n"


def test_calls_of_the_clients_tools_are_shown() -> None:
    first = {"index": 0, "id": "c", "function": {"name": "weather", "arguments": ""}}
    rest = {"index": 0, "function": {"arguments": '{"at": 1}'}}
    told = deltas({"content": "Look:"}, {"tool_calls": [first]}, {"tool_calls": [rest]})
    assert shown(told) == 'Look:\ncalls weather {"at": 1}\n'


def test_a_plain_answer_is_shown_at_its_end() -> None:
    message = {"role": "assistant", "reasoning": "Hm.", "content": [{"type": "text", "text": "So."}]}
    body = json.dumps({"choices": [{"message": message}]}).encode()
    assert shown(body[:20], body[20:]) == '| Hm.\n[{"type": "text", "text": "So."}]\n'


def test_an_error_is_shown() -> None:
    told = deltas({"content": "Hal"}).removesuffix(DONE) + event({"error": {"message": "away"}})
    assert shown(told) == "Hal\nerror: away\n"


def test_what_is_said_cannot_steer_the_terminal() -> None:
    assert shown(deltas({"content": "\x1b[31mred\r\x07\t."})) == "·[31mred··\t.\n"


@pytest.mark.parametrize(
    "body", [b"", b"data: 1\n\n", b"{", b'{"choices": 1}', b'data: {"choices": [1, {"delta": 1}]}\n\n']
)
def test_what_is_no_answer_shows_nothing(body: bytes) -> None:
    assert shown(body) == ""
