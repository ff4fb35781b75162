"""Placeholders in our own messages are replaced, once, and nothing else changes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from werkzeugkoppler.turn.placeholders import fill, german, readers_named

NOW = datetime(2026, 11, 20, 19, 1, 36, tzinfo=UTC)
GERMAN = "Freitag, 20. November 2026, 19:01:36"


def filled(content: Any, **readings: str) -> Any:
    (message,) = fill([{"role": "system", "content": content, "x": 1}], now=NOW, readings=readings)
    assert (message["role"], message["x"]) == ("system", 1)
    return message["content"]


@pytest.mark.contract("WK-36")
@pytest.mark.parametrize("text", ["{today}", "{ today }", "{\ttoday\n}"])
def test_today_is_the_date_and_time_in_german(text: str) -> None:
    assert filled(f"It is {text}.") == f"It is {GERMAN}."


@pytest.mark.contract("WK-36")
@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("{today:%Y-%m-%d}", "2026-11-20"),
        ("{ today : %H:%M }", "19:01"),
        ("{today:%d. %m. %Z}", "20. 11. UTC"),
        ("{today:week %V}", "week 47"),
    ],
)
def test_today_takes_a_format(form: str, shown: str) -> None:
    assert filled(f"<{form}>") == f"<{shown}>"


def test_a_format_that_cannot_be_written_stays() -> None:
    assert filled("{today:\ud800}") == "{today:\ud800}"


@pytest.mark.parametrize("text", ["{today:}", "{today %Y}", "{todays}", "today", "{{}}", "{TODAY}", "{a}"])
def test_what_is_no_placeholder_stays(text: str) -> None:
    assert filled(text) == text


def test_the_german_date_has_a_name_for_each_day_and_month() -> None:
    assert german(datetime(2024, 3, 5, 1, 2, 3)) == "Dienstag, 5. März 2024, 01:02:03"
    days = [german(datetime(2024, month, month, 0)) for month in range(1, 13)]
    assert len({day.split()[2] for day in days}) == 12
    assert len({german(datetime(2024, 1, day)).split(",")[0] for day in range(1, 8)}) == 7


@pytest.mark.contract("WK-37", "WK-38")
@pytest.mark.parametrize(
    "text",
    [
        "{last_user_message_reader_result:notes}",
        "{ last_user_message_reader_result : notes }",
        "{last_user_message_reader_output:notes}",
        "{ last_user_message_reader_output :\nnotes }",
    ],
)
def test_a_reader_is_what_it_found(text: str) -> None:
    assert filled(f"See: {text}!", notes="found") == "See: found!"


def test_the_name_of_a_reader_may_have_spaces_inside() -> None:
    assert filled("{last_user_message_reader_result: my notes }", **{"my notes": "found"}) == "found"


@pytest.mark.contract("WK-39")
def test_a_reader_that_does_not_exist_is_empty() -> None:
    assert filled("<{last_user_message_reader_result:nobody}>", notes="found") == "<>"


def test_what_a_reader_found_is_not_looked_into_again() -> None:
    text = r"{today} {last_user_message_reader_result:b} \1 \g<0>"
    assert filled("{last_user_message_reader_result:a}", a=text, b="no") == text


@pytest.mark.contract("WK-40")
def test_the_texts_of_parts_are_replaced_and_other_parts_stay() -> None:
    image = {"type": "image_url", "image_url": {"url": "{today}"}}
    parts = [{"type": "text", "text": "{today}", "y": 2}, image, {"type": "text", "text": None}, "{today}"]
    assert filled(parts) == [{"type": "text", "text": GERMAN, "y": 2}, *parts[1:]]


@pytest.mark.parametrize("message", [{"role": "assistant"}, {"role": "assistant", "content": None}])
def test_a_message_without_text_stays(message: dict[str, Any]) -> None:
    assert fill([message], now=NOW, readings={}) == [message]


def test_the_configured_messages_themselves_stay() -> None:
    messages = [{"role": "system", "content": [{"type": "text", "text": "{today}"}]}]
    fill(messages, now=NOW, readings={})
    assert messages == [{"role": "system", "content": [{"type": "text", "text": "{today}"}]}]


def test_the_readers_that_are_named_are_known() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "{today} {last_user_message_reader_result:a} "},
        {"role": "user", "content": [{"type": "text", "text": "{last_user_message_reader_output: b }"}]},
        {"role": "assistant"},
    ]
    assert readers_named(messages) == {"a", "b"}
