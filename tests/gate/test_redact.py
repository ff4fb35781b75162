"""What of a body may stand in the log."""

import pytest

from werkzeugkoppler.gate.redact import MAX_CHARS, query_without_keys, redacted, shown, without_keys


def test_a_short_body_is_shown_as_it_is() -> None:
    assert shown('{"content": "größer"}'.encode(), []) == '{"content": "größer"}'


def test_bytes_that_are_no_text_do_no_harm() -> None:
    assert shown(b"\xff\x00", []) == "\ufffd\x00"


def test_a_long_body_is_cut() -> None:
    text = shown(b"x" * (MAX_CHARS + 1), [])
    assert text == "x" * MAX_CHARS + f"... cut, {MAX_CHARS + 1} characters in all"


@pytest.mark.contract("WK-154")
def test_keys_are_taken_out_wherever_they_stand() -> None:
    assert shown(b'{"content": "my-own-key and my-own-key"}', ["my-own-key"]).count("[removed]") == 2


@pytest.mark.contract("WK-154")
def test_a_key_at_the_cut_leaves_no_half() -> None:
    assert "KEY" not in shown(b"x" * (MAX_CHARS - 4) + b"KEYKEYKEYKEY", ["KEYKEYKEYKEY"])


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
