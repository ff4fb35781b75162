"""What people see of a trace."""

from typing import Any

import pytest

from tests.inspecting.events import HEAD, REFUSED, REQUEST, TURN, event, facts
from werkzeugkoppler.inspecting import figures, views
from werkzeugkoppler.inspecting.blocks import Block, Cell, Lines, Table, plain
from werkzeugkoppler.inspecting.figures import Price
from werkzeugkoppler.inspecting.words import duration, event_line, size, state


def text(blocks: list[Block]) -> list[str]:
    return plain(blocks).splitlines()


@pytest.mark.contract("OW-34")
def test_a_summary_says_what_was_asked_and_what_came_of_it() -> None:
    assert text(views.summary(facts(*TURN))) == [
        "trace   a1b2c3d4e5f60718",
        "status  200",
        "asked   2026-11-21T12:00:00.000Z, 127.0.0.1:5000, streamed chat, 2 tools of the client's",
        "model   small-0815 answered, small was asked for",
        "answer  stop, 4.3 kB, 1 keepalive",
        "tokens  200 in, 40 out (120 cached, 10 reasoning)",
        "time    1.9 s",
        "",
        "step              state         time  what",
        "reader notes      ok           90 ms  40 B",
        "leg 1             tool_calls  500 ms  first delta after 300 ms, 100 in, 20 out "
        "(60 cached, 5 reasoning)",
        "tool files__read  ok          290 ms  2.1 kB",
        "tool actions__df  failed       89 ms  7 B",
        "leg 2             stop         1.0 s  100 in, 20 out (60 cached, 5 reasoning)",
    ]


def test_a_fork_says_what_it_is_one_of() -> None:
    shown = text(views.summary(facts(HEAD, REQUEST | {"forked_from": "b2f448978d9192a4", "forked_leg": 2})))
    assert any(", a fork of b2f448978d9192a4 at leg 2, streamed chat" in line for line in shown)


def test_a_refused_request_has_its_error_in_its_summary() -> None:
    shown = text(views.summary(facts(*REFUSED)))
    assert "asked   2026-11-21T12:00:00.000Z, 10.0.0.1:9, GET /nope" in shown
    assert "error   401 missing_authorization" in shown
    assert shown[-1] == "(no steps in this trace)"


def test_a_running_request_has_a_summary() -> None:
    shown = text(views.summary(facts(HEAD, REQUEST, event("retry", 5, leg=1, retry=4))))
    assert "status   running" in shown and "retries  4" in shown


@pytest.mark.contract("BX-05")
def test_a_leg_that_was_broken_off_is_shown_with_what_came_of_it() -> None:
    asked = event("leg_request", 5, leg=1, bytes=500)
    leg = event("leg", 800, leg=1, cancelled=True, bytes=2100, first_delta_ms=20, duration_ms=790)
    row = text(views.summary(facts(HEAD, REQUEST, asked, leg)))[-1]
    assert row.split("  ") == ["leg 1", "cancelled", "790 ms", "first delta after 20 ms, 2.1 kB had come"]


@pytest.mark.contract("OW-36")
def test_calls_of_tools_are_shown_with_results_times_and_sizes() -> None:
    assert text(views.tools(facts(*TURN))) == [
        "tool         leg  state     time  arguments  result  call id",
        "files__read    1  ok      290 ms       12 B  2.1 kB  c1",
        "actions__df    1  failed   89 ms        2 B     7 B  c2",
    ]


def test_contents_stand_below_the_calls() -> None:
    call = event("tool_call", call_id="c1", name="t", leg=1, bytes=2, arguments='{"a": 1}')
    result = event("tool_result", 9, call_id="c1", name="t", success=True, content="x" * 700)
    shown = text(views.tools(facts(HEAD, call, result)))
    assert shown[-3:] == ["t c1", 'arguments: {"a": 1}', "content: " + "x" * 591 + "..."]


def test_a_command_that_failed_is_shown_with_its_exit_code() -> None:
    result = event("tool_result", 9, call_id="c1", name="t", success=True, exit_code=3, bytes=9)
    assert text(views.tools(facts(HEAD, result)))[-1].split()[:3] == ["t", "exit", "3"]
    odd = result | {"exit_code": "3"}
    assert text(views.tools(facts(HEAD, odd)))[-1].split()[:2] == ["t", "ok"]


@pytest.mark.contract("BX-10")
def test_a_call_that_the_operator_edited_is_shown_with_what_ran() -> None:
    call = event("tool_call", call_id="c1", name="t", leg=1, bytes=2, arguments='{"a": 1}')
    result = event("tool_result", 9, call_id="c1", name="t", success=True, edited=True)
    shown = text(views.tools(facts(HEAD, call, result | {"arguments": '{"a": 2}', "content": "two"})))
    assert shown[-4:] == ["t c1", 'arguments: {"a": 1}', 'edited by the operator: {"a": 2}', "content: two"]
    assert text(views.tools(facts(HEAD, result)))[-2:] == ["t c1", "edited by the operator"]
    assert views.is_decision(result)
    assert text(views.permissions([result]))[-1].endswith("edited by the operator")


def test_times_are_shown_as_a_waterfall() -> None:
    shown = text(figures.timing(facts(*TURN)))
    assert shown[0].split() == ["step", "from", "ms", "took", "ms", "0", "to", "1.9", "s"]
    start = shown[0].index("0 to")
    bars = {line.split("  ")[0].strip(): line[start:] for line in shown[1:6]}
    assert bars["leg 1"] == "   ·······█████"
    assert bars["tool files__read"] == " " * 15 + "████████"
    assert bars["leg 2"] == " " * 23 + "█" * 25
    assert shown[-1] == "leg 1: head of the answer after 20 ms, first delta after 300 ms"


@pytest.mark.contract("OW-38")
def test_tokens_are_shown_for_each_leg_and_all() -> None:
    assert text(figures.cost(facts(*TURN), Price())) == [
        "leg  model        in  cached  out  reasoning",
        "1    small-0815  100      60   20          5",
        "2    small-0815  100      60   20          5",
        "all              200     120   40         10",
    ]


def test_with_prices_the_dollars_are_shown() -> None:
    shown = text(figures.cost(facts(*TURN), Price(1.5, 10)))
    assert [line.split()[-1] for line in shown] == ["dollars", "0.350000", "0.350000", "0.700000"]


def test_decisions_are_shown() -> None:
    decisions = [
        event("permission_denied", by="x"),
        event("auth_check_fired"),
        event("tool_result", denied=True),
        REFUSED[2],
    ]
    assert [views.is_decision(event) for event in (*decisions, *TURN)] == [True] * 4 + [False] * len(TURN)
    assert len(text(views.permissions(decisions))) == 4


@pytest.mark.contract("OW-35")
@pytest.mark.parametrize(
    "blocks, nothing",
    [
        (views.tools(facts(HEAD)), "(no tool events in this trace)"),
        (views.permissions([]), "(no permission events in this trace)"),
        (figures.timing(facts(HEAD)), "(no timed events in this trace)"),
        (figures.cost(facts(HEAD), Price()), "(no usage events in this trace)"),
    ],
)
def test_an_empty_view_says_so(blocks: list[Block], nothing: str) -> None:
    assert text(blocks) == [nothing]


@pytest.mark.contract("OW-35")
def test_an_event_is_one_line() -> None:
    odd = event("leg", 5, leg=1, message="a\nb", usage={"a": 1}, long="x" * 99)
    cut = 'leg=1  message="a\\nb"  usage={"a": 1}  long=' + "x" * 60 + "..."
    assert event_line(odd) == f"2026-11-21T12:00:00.005Z  leg                 {cut}"
    assert "x" * 99 in event_line(odd, whole=True)


def test_nothing_that_was_said_can_steer_a_terminal() -> None:
    lines: list[Block] = [Lines(["\x1b[2Jhello\x07 \u202eworld\n!"]), Table(("a",), [[Cell("\x9b0m")]])]
    assert plain(lines) == "·[2Jhello· ·world !\n\na\n·0m"


@pytest.mark.parametrize(
    "word, style", [("200", "good"), ("404", "bad"), ("running", "busy"), ("ok", "good"), ("denied", "bad")]
)
def test_a_state_has_its_colour(word: str, style: str) -> None:
    assert state(word) == Cell(word, style)


def test_figures_have_units() -> None:
    assert (duration(999), duration(1000), size(999), size(1000)) == ("999 ms", "1.0 s", "999 B", "1.0 kB")


@pytest.mark.parametrize("odd", [None, "x", [], {"prompt_tokens": "x", "prompt_tokens_details": 1}])
def test_an_odd_usage_is_shown_somehow(odd: Any) -> None:
    told = facts(HEAD, event("leg", 1, leg=1, usage=odd))
    assert text(views.summary(told)) and text(figures.cost(told, Price(1, 1)))


def test_a_long_finish_is_cut() -> None:
    turn = facts(HEAD, REQUEST, event("leg", 5, leg=1, finish_reason="x" * 3000), event("proxy_response", 9))
    assert all(len(line) < 120 for line in text(views.summary(turn)) + text(figures.timing(turn)))
