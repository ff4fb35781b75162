"""A turn's flows are named for what came of them, and what a user wrote is left alone."""

import pytest
from mitmproxy.flow import Error
from mitmproxy.http import HTTPFlow
from mitmproxy.test.tflow import tflow

from werkzeugkoppler import labels
from werkzeugkoppler.flows import response

TURN = "1a2b3c4d5e6f7a8b"


def flow_of(kind: str, label: str, leg: int = 1) -> HTTPFlow:
    flow = tflow()
    labels.begin(flow, {"turn": TURN, "kind": kind, "leg": leg}, label)
    return flow


def ended(flow: HTTPFlow, status: int, body: bytes, seconds: float = 0.8) -> tuple[str, str]:
    flow.response = response(status, (), body)
    flow.response.timestamp_end = (flow.request.timestamp_end or 0) + seconds
    labels.end(flow)
    return flow.comment, flow.marked


@pytest.mark.contract("BX-09")
@pytest.mark.parametrize(
    ("kind", "label", "leg", "status", "body", "comment", "marker"),
    [
        (
            "leg",
            "leg 2",
            2,
            200,
            b'{"finish_reason":"stop","total_tokens":143}',
            "leg 2 · stop · 143 tokens · 800 ms",
            "robot",
        ),
        ("leg", "leg 1", 1, 503, b"{}", "leg 1 · 503 · 800 ms", "x"),
        ("leg", "leg 1", 1, 200, b"data: ", "leg 1 · no finish · 800 ms", "robot"),
        ("tool", "search/find", 1, 200, b"x" * 1200, "search/find · ok · 1.2 kB · 800 ms · leg 1", "wrench"),
        ("tool", "search/find", 1, 500, b"", "search/find · failed · 0 B · 800 ms · leg 1", "x"),
        ("tool", "search/find", 1, 403, b"{}", "search/find · denied · 2 B · 800 ms · leg 1", "x"),
        (
            "tool",
            "actions/df",
            1,
            200,
            b'{"ok": true, "result": [], "exit_code": 3, "stderr": "why"}',
            "actions/df · exit 3 · 59 B · 800 ms · leg 1",
            "x",
        ),
        ("reader", "reader notes", 0, 200, b"abc", "reader notes · ok · 3 B · 800 ms", "mag"),
        ("models", "models", 0, 200, b"abc", "models · 3 B · 800 ms", "clipboard"),
    ],
)
def test_an_exchange_is_named_for_what_came_of_it(
    kind: str, label: str, leg: int, status: int, body: bytes, comment: str, marker: str
) -> None:
    flow = flow_of(kind, label, leg)
    assert flow.comment.endswith(" · turn 1a2b3c")
    assert ended(flow, status, body) == (f"{comment} · turn 1a2b3c", f":{marker}:")


@pytest.mark.parametrize(
    ("kind", "message", "word"),
    [
        ("tool", Error.KILLED_MESSAGE, "denied"),
        ("leg", Error.KILLED_MESSAGE, "killed"),
        ("tool", "cancelled", "cancelled"),
        ("leg", "the upstream went away", "failed"),
    ],
)
def test_a_flow_that_failed_says_so(kind: str, message: str, word: str) -> None:
    flow = flow_of(kind, "it")
    flow.error = Error(message)
    assert ended(flow, 200, b"")[0].startswith(f"it · {word} · ")
    assert flow.marked == labels.FAILED


def test_a_call_that_is_killed_while_it_runs_is_not_called_denied() -> None:
    flow = flow_of("tool", "it")
    labels.note_begun(flow)
    flow.error = Error(Error.KILLED_MESSAGE)
    assert ended(flow, 200, b"")[0].startswith("it · killed · ")


def test_repairs_are_told() -> None:
    flow = flow_of("leg", "leg 1")
    labels.note_repairs(flow, ["calls shared an index", "a call had no id"])
    assert " · repaired: calls shared an index, a call had no id · turn " in ended(flow, 200, b"")[0]


def test_what_a_user_wrote_is_left_alone() -> None:
    flow = flow_of("leg", "leg 1")
    assert not labels.is_marked_by_user(flow)
    flow.comment, flow.marked = "look at this", ":default:"
    assert ended(flow, 200, b"") == ("look at this", ":default:")
    assert labels.is_marked_by_user(flow)


def test_a_flow_that_is_replayed_is_named_anew() -> None:
    flow = flow_of("client", "client", 0)
    labels.end_turn(flow, ["2 legs", "stop"], False)
    assert flow.comment == "turn 1a2b3c · 2 legs · stop"
    labels.begin(flow, {"turn": "ffffffffff", "kind": "client", "leg": 0}, "client")
    assert flow.comment == "client · turn ffffff"


def test_an_exchange_that_is_done_again_forgets_what_was_told_of_its_old_answer() -> None:
    flow = flow_of("leg", "leg 1", 1)
    labels.note_repairs(flow, ["a call had no id"])
    labels.note_arrivals(flow, [[5, 1]])
    ended(flow, 200, b"")
    labels.begin_again(flow)
    assert flow.comment == "leg 1 · turn 1a2b3c" and flow.marked == labels.MARKERS["leg"]
    assert not {"repairs", "arrivals"} & flow.metadata[labels.METADATA].keys()


@pytest.mark.parametrize(
    "link",
    [
        None,
        "tool",
        {},
        {"turn": "1a", "kind": "tool", "leg": 1},
        {"turn": "1a", "kind": ["tool"], "leg": 1, "label": "x"},
        {"turn": "1a", "kind": "client", "leg": 0, "label": "client"},
    ],
)
def test_what_a_file_says_of_a_flow_is_no_exchange_unless_it_is_one(link: object) -> None:
    flow = flow_of("tool", "it")
    assert labels.exchange_of(flow) is flow.metadata[labels.METADATA]
    flow.metadata[labels.METADATA] = link
    assert labels.exchange_of(flow) is None


@pytest.mark.contract("BX-09")
def test_a_comment_is_printable_whatever_others_call_things() -> None:
    flow = flow_of("tool", "search/\x1b[2J\u202e\nfind")
    assert flow.comment == "search/·[2J· find · leg 1 · turn 1a2b3c"
    assert ended(flow, 200, b"")[0].startswith("search/·[2J· find · ok · ")
