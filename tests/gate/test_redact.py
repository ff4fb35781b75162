"""What of a body may stand in the log."""

import json
import time
from collections.abc import Iterable
from typing import Any

import pytest

from werkzeugkoppler.gate.redact import query_without_keys, redacted, without_keys

LIMIT = 8000


def shown(body: bytes, secrets: Iterable[str]) -> str:
    return redacted(body, secrets, LIMIT)


def test_a_short_body_is_shown_as_it_is() -> None:
    assert shown('{"content": "größer"}'.encode(), []) == '{"content": "größer"}'


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert shown(b"\xff\x00", []) == "\ufffd\x00"


@pytest.mark.contract("WK-154")
def test_keys_are_taken_out_wherever_they_stand() -> None:
    assert shown(b'{"content": "my-own-key and my-own-key"}', ["my-own-key"]).count("[removed]") == 2


@pytest.mark.contract("WK-154")
def test_a_key_at_the_cut_leaves_no_half() -> None:
    assert "KEY" not in shown(b"x" * (LIMIT // 2 - 4) + b"KEYKEYKEYKEY" + b"x" * LIMIT, ["KEYKEYKEYKEY"])


def test_a_value_too_short_for_a_key_stays() -> None:
    assert shown(b"a test", ["test", ""]) == "a test"


@pytest.mark.parametrize(
    "body",
    [
        '{"api_key": "hidden"}',
        '{"arguments": "{\\"password\\": \\"hidden\\"}"}',
        '{"Authorization":"hidden"}',
        '{"access_token": "hidden"}',
        "curl -H 'Authorization: Bearer hidden'",
        "curl -H 'X-Api-Key: hidden' -H 'Authorization: Basic hidden'",
        "Basic hidden09OmhpZGRlbg==",
        '{"refresh_token":"hidden", "secret_key": "hidden", "x-api-key":"hidden"}',
        '{"private_key": "-----BEGIN\\nhidden"}',
        "set sk-hidden-0123456789",
    ],
)
def test_what_looks_like_a_key_is_taken_out(body: str) -> None:
    text = shown(body.encode(), [])
    assert "hidden" not in text and "[removed]" in text


def test_counts_of_tokens_are_no_keys() -> None:
    body = b'{"usage": {"total_tokens": 7}, "max_tokens": 5}'
    assert shown(body, []) == body.decode()


@pytest.mark.contract("BX-17")
@pytest.mark.parametrize("name", ["key", "api_key", "api-key", "apikey", "access_token", "TOKEN", "secret"])
def test_a_key_in_a_query_is_taken_out_and_the_rest_stays(name: str) -> None:
    assert query_without_keys(f"/v1/models?a=1&{name}=abc&b=2") == f"/v1/models?a=1&{name}=[removed]&b=2"
    assert query_without_keys(f"/v1/models?{name}=abc") == f"/v1/models?{name}=[removed]"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models?monkey=1&keys=2", "/key=1"])
def test_a_query_without_keys_stays(path: str) -> None:
    assert query_without_keys(path) == path


@pytest.mark.contract("BX-17")
def test_keys_are_taken_out_of_any_line() -> None:
    line = "Bad line: b'Authorization Bearer abc.def' to http://x/mcp?key=ghi with my-own-key"
    clean = "Bad line: b'Authorization Bearer [removed]' to http://x/mcp?key=[removed] with [removed]"
    assert without_keys(line, ["my-own-key"]) == clean


@pytest.mark.contract("OW-40")
@pytest.mark.parametrize("at", range(90, 112))
def test_where_the_middle_is_left_out_no_half_of_a_key_stays(at: int) -> None:
    key = "KEYKEYKEYKEY"
    text = "x" * at + key + "x" * 20_000 + key + "x" * at
    shortened = redacted(text, [key], 200)
    assert "K" not in shortened and len(shortened) < 240


def test_a_key_with_a_quote_is_found_in_json() -> None:
    assert redacted('{"content": "a\\"secret\\u00fc"}', ['a"secretü'], 200) == '{"content": "[removed]"}'


def test_where_there_is_nothing_but_keys_no_piece_of_one_stays() -> None:
    key = "KEY" * 333
    assert "K" not in redacted(key * 20, [key], 200)


VALUES = [
    "abc/hidden",
    'abc"hidden',
    "abc\\hidden",
    "hidden\\",
    '\\"hidden',
    "abc\nhidden",
    "hidden€🔑",
    "hidden",
]


@pytest.mark.contract("BX-17")
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("depth", range(1, 5))
@pytest.mark.parametrize("is_ascii", [True, False])
def test_in_json_within_json_a_key_goes_and_the_rest_stays(value: str, depth: int, is_ascii: bool) -> None:
    for name, secrets in (("password", []), ("word", [value])):
        inner: dict[str, Any] = {"a": {name: value}, "b": [1]}
        for _ in range(depth):
            text = json.dumps(inner, ensure_ascii=is_ascii)
            inner = {"arguments": text, "c": "d"}
        clean = without_keys(text, secrets)
        assert "hidden" not in clean
        if secrets and "\\" in (value[0], value[-1]):
            continue  # a backslash of the quote beside it goes too
        for _ in range(depth - 1):
            inner = json.loads(clean)
            assert inner["c"] == "d"
            clean = inner["arguments"]
        assert json.loads(clean) == {"a": {name: "[removed]"}, "b": [1]}


def test_a_key_may_be_written_with_any_escape() -> None:
    assert without_keys(r'{"a": "abc\/hid\u002Bden"}', ["abc/hid+den"]) == '{"a": "[removed]"}'


def test_a_value_whose_end_is_missing_takes_no_more_than_its_line_with_it() -> None:
    line = r'{"arguments":"{\"password\": \"hid"}' + ',{"content":"stays"}'
    assert without_keys(line, []) == line.replace("hid", "[removed]")


def test_words_are_no_keys() -> None:
    text = 'Basic understanding, a secret: none, api_key: str, {"token": "Hello", "password": ""}'
    assert without_keys(text, []) == text


HARD = [
    "\\",
    "x-",
    '"password',
    '"password" ',
    "Bearer ",
    "Basic a",
    "Basic ",
    '"password":"',
    " ",
    '\\"',
    "?key=",
    "sk-",
]


@pytest.mark.parametrize("piece", HARD)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (64_000 // len(piece))
    began = time.process_time()
    without_keys(text, ['"\\"\\\\secret', "\\" * 30, '"' * 30, "schlüssel99"])
    assert time.process_time() - began < 1
    began = time.process_time()
    redacted(text * 100, ["schlüssel99"], 64_000)
    assert time.process_time() - began < 1
