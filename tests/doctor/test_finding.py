"""How findings are shown."""

import json

from werkzeugkoppler.doctor.finding import (
    Finding,
    Outcome,
    as_json,
    as_line,
    has_failed,
    one_line,
    secrets_among,
    summary,
    without,
)

FINE = Finding("port", Outcome.OK, "free")
BAD = Finding("upstream", Outcome.FAIL, "away", "start it", "BX-19")


def test_a_line_has_its_columns_and_the_advice_below() -> None:
    assert as_line(FINE, 8, 0) == "ok    port      free"
    assert as_line(BAD, 8, 6) == "FAIL  upstream  BX-19   away\n" + " " * 24 + "start it"


def test_only_a_failure_fails() -> None:
    warning = Finding("exposure", Outcome.WARN, "open")
    assert not has_failed([FINE, warning, Finding("chat", Outcome.SKIP, "")])
    assert has_failed([FINE, BAD])
    assert summary([FINE, FINE, BAD]) == "2 ok, 1 FAIL"


def test_programs_get_json() -> None:
    shown = json.loads(as_json([FINE, BAD]))
    assert shown["ok"] is False
    assert shown["findings"][0] == {"name": "port", "outcome": "ok", "seen": "free"}
    assert shown["findings"][1]["row"] == "BX-19"


def test_a_terminal_gets_one_short_line_and_no_control_characters() -> None:
    assert one_line("a\n b\x1b[31m") == "a b [31m"
    assert len(one_line("x" * 1000)) < 200


def test_a_key_that_somebody_repeated_is_not_shown() -> None:
    secrets = secrets_among(["sk-secret", None, "", "abc"])
    told = without(Finding("upstream", Outcome.FAIL, "wrong key sk-secret", "not sk-secret, abc"), secrets)
    assert (told.seen, told.advice) == ("wrong key [removed]", "not [removed], abc")
