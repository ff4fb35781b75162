"""A flow that is held says what it waits for."""

import anyio
import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.test import taddons
from mitmproxy.test.tflow import tflow

from werkzeugkoppler import labels
from werkzeugkoppler.held import Question, Verdict, verdict_on

LINK = {"turn": "1a2b3c4d", "kind": "tool", "leg": 1}


def held_flow() -> HTTPFlow:
    flow = tflow()
    labels.begin(flow, LINK, "actions/publish")
    flow.intercept()
    return flow


def question(about: str = "", seconds: float = 5) -> Question:
    return Question(seconds, on_wait=lambda: None, on_verdict=lambda verdict: None, about=about)


@pytest.mark.contract("BX-11")
@pytest.mark.parametrize(
    ("about", "words"),
    [("", "waits for approval"), ("deploy, git_push", "waits for approval: deploy, git_push")],
)
async def test_a_held_flow_says_so_and_has_its_name_again_when_it_is_let_go(about: str, words: str) -> None:
    flow, verdicts = held_flow(), []

    async def ask() -> None:
        verdicts.append(await verdict_on(flow, question(about)))

    with taddons.context(), anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            assert flow.comment == f"actions/publish · {words} · leg 1 · turn 1a2b3c"
            flow.resume()
    assert verdicts == [Verdict.GRANTED]
    assert flow.comment == "actions/publish · leg 1 · turn 1a2b3c"


async def test_one_that_nobody_decided_on_waits_no_more() -> None:
    flow = held_flow()
    with taddons.context():
        assert await verdict_on(flow, question(seconds=0)) is Verdict.TIMED_OUT
    assert not flow.intercepted and "waits" not in flow.comment


def test_long_words_are_cut() -> None:
    flow = held_flow()
    labels.wait(flow, "mcp_tool:files:write, " * 100)
    assert len(flow.comment) < 200 and "mcp_tool:files:write, mcp" in flow.comment


async def test_what_a_user_wrote_meanwhile_stays() -> None:
    flow = held_flow()
    flow.comment = "mine"
    with taddons.context():
        await verdict_on(flow, question(seconds=0))
    assert flow.comment == "mine"
