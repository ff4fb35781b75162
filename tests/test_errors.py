"""What goes wrong is told in OpenAI's form."""

import json

import pytest

from werkzeugkoppler.errors import ApiError, ConfigError, UpstreamError, internal_error


def test_an_error_is_told_as_openai_tells_it() -> None:
    error = ApiError(400, "nö", code="bad_json", headers=(("x", "y"),))
    expected = {"message": "nö", "type": "invalid_request_error", "param": None, "code": "bad_json"}
    assert error.error() == expected
    assert json.loads(error.body()) == {"error": expected}
    assert (str(error), error.status, error.headers) == ("nö", 400, (("x", "y"),))


def test_an_internal_error_tells_nothing_but_where_to_look() -> None:
    error = internal_error()
    assert (error.status, error.type, error.code) == (500, "server_error", "internal_error")
    assert "log" in error.message


def test_an_upstream_that_gave_no_answer_is_a_bad_gateway() -> None:
    error = UpstreamError("cannot connect")
    assert (error.status, error.code) == (502, "upstream_error")
    assert json.loads(error.body())["error"] == error.error()
    assert error.error()["message"] == "cannot connect"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b'{"error": {"message": "no memory", "extra": 1}}', {"message": "no memory", "extra": 1}),
        (b'{"error": "no memory"}', {"message": "no memory"}),
        (b'{"detail": "no memory"}', {"message": "ours"}),
        (b'{"error": 7}', {"message": "ours"}),
    ],
)
def test_the_upstreams_own_words_arrive_as_they_are(answer: bytes, told: dict[str, object]) -> None:
    error = UpstreamError("ours", answer=answer)
    assert error.body() == answer
    assert error.error() | told == error.error()


def test_an_error_in_words_of_the_upstream_has_our_form() -> None:
    error = UpstreamError("ours", answer=b'{"error": "no memory"}').error()
    assert set(error) == {"message", "type", "param", "code"}


def test_a_config_error_lists_all_its_problems() -> None:
    error = ConfigError(["a.yaml:1:1: x", "a.yaml:2:1: y"])
    assert error.problems == ["a.yaml:1:1: x", "a.yaml:2:1: y"]
    assert str(error) == "a.yaml:1:1: x\na.yaml:2:1: y"
