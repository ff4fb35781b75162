"""Turns of a real proxy, saved, and played again when nothing of what answered them is there any more."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from mitmproxy import http
from mitmproxy.io import FlowWriter

from tests.e2e.client import Answer, Client
from tests.e2e.declared import CALL_HELLO, HELLO, WEATHER, WITH_USAGE
from tests.e2e.launch import SERVICE_KEY, Command
from tests.e2e.proxy import Proxy, running
from tests.fakes import answers, chunks
from tests.fakes.answers import RESET, Cut, Json, Sse, calls, says
from tests.fakes.chunks import Call, chunk
from tests.fakes.upstream import Upstream
from werkzeugkoppler.playing import command, saved
from werkzeugkoppler.playing.choice import choose
from werkzeugkoppler.playing.replay import Played, replay
from werkzeugkoppler.playing.saved import NotSaved, Saved, SavedTurn, link_of
from werkzeugkoppler.wire.sse import KEEPALIVE

MEDDLER = str(Path(__file__).parent / "scripts" / "meddler.py")
TRACE_ID = "X-Werkzeugkoppler-Trace-Id"
NOTE = {"name": "NOTE", "type": "insecure_string", "description": "Anything", "default": ""}
MARK = {
    "name": "mark",
    "description": "Leaves a line in a file",
    "command": "sh",
    "arguments": ["-c", 'echo "$1" >> marks', "sh", "$NOTE"],
    "parameters": [NOTE],
}
SLOW = {**MARK, "name": "slow", "arguments": ["-c", "echo one; echo two; sleep 0.7"]}
GUARDED = {**HELLO, "name": "guarded", "approval": "ask"}
COSTLY = {**HELLO, "name": "costly", "costs": ["deploy"]}
FAILING = {**HELLO, "name": "failing", "command": "false"}
COMMON: dict[str, Any] = {
    "actions": [HELLO, MARK, SLOW, GUARDED, COSTLY, FAILING],
    "allowed_direct_commands": ["echo"],
    "upstream_retry_interval_ms": 50,
    "stream_keepalive_seconds": 0.05,
}
USUAL = {**COMMON, "upstream_connect_retries": 1}
OTHER = {
    **COMMON,
    "stream_answer_mode": "safe_preview",
    "tool_trace": "off",
    "upstream_failure_reply": "text",
    "tool_memory": {"enabled": False},
    "max_tool_loops": 1,
    "denied_call_reply": "refusal",
}


def mark(note: str, id: str = "call_1") -> Call:
    return Call("actions__mark", json.dumps({"NOTE": note}), id)


def without_id(call: Call) -> dict[str, Any]:
    wire = call.wire()
    del wire["id"]
    return wire


ASKS = Call("request_permission", '{"costs": ["deploy"]}')
AWAY = Json({"error": {"message": "come again", "type": "t"}}, 503, (("retry-after", "0"),))
REFUSED = Json({"error": {"message": "no such thing", "type": "t", "code": "c"}}, 400)
HALF = Sse([chunk({"role": "assistant", "content": "Hal"}), RESET], done=False)
TOLD_LATE = Sse([chunk({"role": "assistant", "content": "Hal"}), b'data: {"error": {"message": "full"}}\n\n'])


def without_ids(*wanted: Call) -> Json:
    """A completion whose calls have no ids."""
    message = {"role": "assistant", "content": None, "tool_calls": list(map(without_id, wanted))}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return Json(chunks.completion(None) | {"choices": [choice]})


type Scenario = tuple[list[answers.Answer], dict[str, Any]]

SCENARIOS: dict[str, Scenario] = {
    "text": ([says("Hel", "lo.")], {}),
    "with usage": ([calls(CALL_HELLO), says("Hi.")], WITH_USAGE),
    "tools": ([calls(CALL_HELLO, mark("one", "c2"), text="Look: "), calls(mark("two")), says("So.")], {}),
    "progress": ([calls(Call("actions__slow")), says("So.")], {}),
    "a tool that fails": ([calls(Call("actions__failing")), says("Well.")], {}),
    "arguments that are none": ([calls(Call("actions__hello", "{")), says("Well.")], {}),
    "an unknown tool": ([calls(Call("nobody__has", "{}")), says("Well.")], {}),
    "a denied call": ([calls(Call("actions__guarded")), says("Then not.")], {}),
    "several denied calls": ([calls(Call("actions__costly"), Call("actions__guarded", id="c2"))], {}),
    "a permission": ([calls(Call("actions__costly")), calls(ASKS), says("No.")], {}),
    "a killed call": ([calls(mark("please kill tool")), says("Then not.")], {}),
    "an edited call": ([calls(mark("please edit tool")), says("So.")], {}),
    "an edited result": ([calls(mark("please edit the tool's answer")), says("So.")], {}),
    "an answered call": ([calls(mark("please answer tool")), says("So.")], {}),
    "a retry": ([AWAY, says("There.")], {}),
    "no retry left": ([AWAY, AWAY], {}),
    "a refusal": ([REFUSED], {}),
    "a refusal later": ([calls(CALL_HELLO), REFUSED], {}),
    "no answer": ([Cut(b"")] * 6, {}),
    "half an answer": ([HALF, HALF], {}),
    "an error in a stream": ([TOLD_LATE, TOLD_LATE], {}),
    "not streamed": ([without_ids(CALL_HELLO, mark("n")), Json(chunks.completion("Whole."))], {}),
    "mixed": ([calls(CALL_HELLO, Call("weather", id="w1"))], {"tools": [WEATHER]}),
    "mixed, without ids": ([without_ids(CALL_HELLO, Call("weather"))], {"tools": [WEATHER]}),
    "a handed over call": ([calls(Call("weather", id="w1"))], {"tools": [WEATHER]}),
    "one loop too many": ([calls(CALL_HELLO), calls(CALL_HELLO), calls(CALL_HELLO)], {"-": 1}),
}  # fmt: skip
PROMPTS: dict[str, tuple[str, list[answers.Answer]]] = {
    "a killed leg": ("please kill leg", []),
    "an edited leg": ("please edit leg", [calls(CALL_HELLO), says("Hi.")]),
    "an answered leg": ("please answer leg", []),
    "a direct command": ("@@ echo one; echo two", []),
    "a killed command": ("@@ echo please kill command", []),
    "an edited command": ("@@ echo please edit command", []),
}


@dataclass
class Recorded:
    """What was done, and what came of it."""

    file: Path
    marks: Path
    upstream: Upstream
    answers: dict[str, Answer] = field(default_factory=dict)

    @cached_property
    def saved(self) -> Saved:
        """The file, read once."""
        return saved.read(self.file)

    def turn(self, name: str) -> SavedTurn:
        return choose(self.saved, self.answers[name].headers[TRACE_ID])


@pytest.fixture(scope="module")
async def recorded(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recorded]:
    """All the turns, of two proxies with other settings; nothing that answered them runs any more."""
    done: dict[str, Recorded] = {}
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for name, settings in (("usual", USUAL), ("other", OTHER)):
                folder = tmp_path_factory.mktemp(name)
                group.start_soon(record, folder, settings, lambda it, name=name: done.update({name: it}))
    return done


async def record(folder: Path, settings: dict[str, Any], tell: Callable[[Recorded], None]) -> None:
    file = folder / "turns.flows"
    how = Command(arguments=["-s", MEDDLER, "-w", str(file)])
    async with Upstream.serving() as upstream:
        async with running(folder, upstream.url, settings, how) as proxy:
            result = Recorded(file, folder / "marks", upstream)
            async with aiohttp.ClientSession(proxy.url) as session:
                await record_all(Client(session, SERVICE_KEY), upstream, result)
            await leave_early(proxy, upstream, result)
    tell(result)


async def record_all(client: Client, upstream: Upstream, result: Recorded) -> None:
    for stream in (True, False):
        for name, (script, fields) in SCENARIOS.items():
            upstream.reset()
            upstream.script(*script)
            wanted = {key: value for key, value in fields.items() if key != "-"}
            if not stream:
                wanted.pop("stream_options", None)
            result.answers[f"{name}, {stream}"] = await client.chat(stream=stream, **wanted)
        for name, (text, script) in PROMPTS.items():
            upstream.reset()
            upstream.script(*script)
            result.answers[f"{name}, {stream}"] = await client.chat(text, stream=stream)


async def leave_early(proxy: Proxy, upstream: Upstream, result: Recorded) -> None:
    upstream.reset()
    upstream.script(says("Wait", anyio.Event(), "for it."))
    async with aiohttp.ClientSession(proxy.url) as session:
        async with Client(session, SERVICE_KEY).streamed() as stream:
            assert (await stream.chunk())["choices"][0]["delta"]["role"] == "assistant"
            result.answers["left"] = Answer(200, stream.headers, b"")
        await (await upstream.chat()).closed.wait()


CHANCE = ("progress, True", "a direct command, True")
"""In which pieces these came is chance."""
CASES = [f"{name}, {stream}" for name in (*SCENARIOS, *PROMPTS) for stream in (True, False)]


def play(turn: SavedTurn) -> tuple[bytes, Played]:
    pieces: list[bytes] = []
    played = asyncio.run(replay(turn, pieces.append, None))
    return b"".join(pieces), played


@pytest.mark.contract("BX-12")
@pytest.mark.parametrize("which", ["usual", "other"])
@pytest.mark.parametrize("case", CASES)
def test_a_saved_turn_plays_again_as_it_was(recorded: dict[str, Recorded], which: str, case: str) -> None:
    it = recorded[which]
    before = it.marks.read_bytes(), len(it.upstream.requests)
    told, played = play(it.turn(case))
    assert (played.difference, played.broken_off, played.same) == (None, None, True)
    answer = it.answers[case]
    assert played.status == answer.status
    if case not in CHANCE:
        assert told == answer.body.replace(KEEPALIVE, b"")
    assert (it.marks.read_bytes(), len(it.upstream.requests)) == before


@pytest.mark.contract("BX-12")
def test_a_turn_whose_client_left_plays_as_far_as_it_went(recorded: dict[str, Recorded]) -> None:
    _, played = play(recorded["usual"].turn("left"))
    assert (played.difference, played.broken_off) == (None, "leg 1 was broken off")


@pytest.mark.contract("BX-12")
def test_the_bytes_that_the_client_would_get_are_printed(
    recorded: dict[str, Recorded], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    it = recorded["usual"]
    answer = it.answers["tools, True"]
    id = answer.headers[TRACE_ID]
    assert command.main(["replay", str(it.file), "--turn", id[:8], "--raw"]) == 0
    out, err = capfdbinary.readouterr()
    assert out == answer.body.replace(KEEPALIVE, b"")
    line = f"replayed turn {id[:6]}: 3 legs, 3 tool calls, the client's answer is the same as recorded"
    assert err.decode().strip() == line


# What does not fit is told


def copied(turn: SavedTurn) -> SavedTurn:
    """A turn that can be tampered with."""
    assert turn.client is not None
    legs = {number: [flow.copy() for flow in flows] for number, flows in turn.legs.items()}
    tools = [flow.copy() for flow in turn.tools]
    return SavedTurn(turn.id, turn.client.copy(), legs, tools, list(turn.commands))


@pytest.fixture
def turn(recorded: dict[str, Recorded]) -> SavedTurn:
    """A streamed turn with three legs and three calls."""
    return copied(recorded["usual"].turn("tools, True"))


def problem(turn: SavedTurn) -> str:
    played = play(turn)[1]
    assert not played.same and played.difference is not None
    assert played.difference in played.line()
    return played.difference


@pytest.mark.contract("BX-12")
def test_a_leg_that_the_file_does_not_have_is_told(turn: SavedTurn) -> None:
    del turn.legs[3]
    assert problem(turn) == "leg 3 is asked, the file ends after leg 2"
    del turn.legs[2]
    turn.legs[3] = turn.legs[1]
    assert problem(turn) == "leg 2 is asked, the file does not have it"


@pytest.mark.contract("BX-12")
def test_a_leg_that_is_asked_more_often_than_then_is_told(recorded: dict[str, Recorded]) -> None:
    turn = copied(recorded["usual"].turn("a retry, True"))
    del turn.legs[1][1]
    assert problem(turn) == "leg 1 is asked again, the file has it once"
    turn = copied(recorded["usual"].turn("a retry, True"))
    del turn.legs[1][0]
    turn.legs[1].append(turn.legs[1][0])
    assert problem(turn) == "the file has leg 1, which was not asked again"


@pytest.mark.contract("BX-12")
def test_a_leg_that_is_asked_otherwise_is_told_with_the_place(turn: SavedTurn) -> None:
    request = turn.legs[2][0].request
    at = (request.content or b"").index(b"Hello?")
    request.content = (request.content or b"").replace(b"Hello?", b"Help!!")
    words = f"leg 2 was asked otherwise than the file has it: first difference at byte {at + 3}: now 'lo?"
    assert problem(turn).startswith(words)


@pytest.mark.contract("BX-12")
def test_a_flow_that_was_edited_when_all_was_over_was_asked_as_it_was(turn: SavedTurn) -> None:
    for flow in (turn.legs[2][0], turn.tools[0]):
        flow.backup()
        flow.request.content = b"edited afterwards"
    assert play(turn)[1].same


@pytest.mark.contract("BX-12")
@pytest.mark.parametrize("appended", [True, False])
def test_what_was_done_again_counts_as_it_was_at_first(
    turn: SavedTurn, tmp_path: Path, appended: bool
) -> None:
    assert turn.client is not None
    again = [turn.legs[2][0], turn.tools[0], turn.client]
    rest = [turn.legs[1][0], turn.legs[3][0], *turn.tools[1:]]
    with (tmp_path / "turns.flows").open("wb") as file:
        writer = FlowWriter(file)
        for flow in [*rest, *again] if appended else rest:
            writer.add(flow)
        for flow in again:
            flow.backup()
            flow.is_replay = "request"
            flow.response = http.Response.make(200, b"again")
            writer.add(flow)
        turn.client.metadata["werkzeugkoppler"] = link_of(turn.client) | {"turn": "another"}
        writer.add(turn.client)
    assert play(choose(saved.read(tmp_path / "turns.flows"), turn.id))[1].same


@pytest.mark.contract("BX-12")
def test_a_call_that_the_file_does_not_have_is_told(turn: SavedTurn) -> None:
    call = turn.tools.pop()
    words = f"the file has no call {link_of(call)['call_id']} of actions__mark in leg 2"
    assert problem(turn) == words


@pytest.mark.contract("BX-12")
def test_a_call_with_other_arguments_is_told(turn: SavedTurn) -> None:
    turn.tools[2].request.content = b'{"NOTE": "three"}'
    words = "the file has no tool call actions__mark with these arguments: first difference at byte 11"
    assert problem(turn).startswith(words)


@pytest.mark.contract("BX-12")
def test_what_the_file_has_and_nobody_asks_for_is_told(turn: SavedTurn) -> None:
    turn.legs[4] = turn.legs[3]
    assert problem(turn) == "the file has leg 4, which was not asked"
    del turn.legs[4]
    turn.tools.append(turn.tools[0])
    assert problem(turn) == "the file has a call of actions/hello, which was not made"


@pytest.mark.contract("BX-12")
def test_an_answer_that_is_not_the_one_in_the_file_is_told(turn: SavedTurn) -> None:
    assert turn.client is not None and turn.client.response is not None
    response = turn.client.response
    response.content = (response.content or b"").replace(b"So.", b"No.")
    told = problem(turn)
    assert told.startswith("the client's answer is not the same: first difference at byte ")
    response.status_code = 500
    assert problem(turn) == "the client gets status 200, then it was 500"


@pytest.mark.contract("BX-12")
def test_what_a_leg_was_made_to_say_counts(turn: SavedTurn) -> None:
    response = turn.legs[3][0].response
    assert response is not None
    response.content = (response.content or b"").replace(b"So.", b"Thus")
    told, played = play(turn)
    assert b'"Thus"' in told and not played.same


@pytest.mark.parametrize("settings", [{"max_tool_loops": "many"}, {"tool_trace": ["?"]}])
def test_settings_that_are_none_are_told(turn: SavedTurn, settings: dict[str, Any]) -> None:
    assert turn.client is not None
    link_of(turn.client)["settings"] = settings
    with pytest.raises(NotSaved, match="settings"):
        play(turn)


def test_a_file_without_settings_is_played_with_the_defaults(turn: SavedTurn) -> None:
    assert turn.client is not None
    del link_of(turn.client)["settings"]
    assert play(turn)[1].same


@pytest.mark.contract("BX-12")
def test_what_a_tool_said_is_said_again_and_at_its_time(recorded: dict[str, Recorded]) -> None:
    turn = recorded["usual"].turn("progress, True")
    told, _ = play(turn)
    assert b"==> actions__slow: one\\n" in told
    began = time.monotonic()
    assert asyncio.run(replay(turn, lambda data: None, 5.0)).same
    assert time.monotonic() - began >= 0.7 / 5


@pytest.mark.contract("BX-12")
def test_ctrl_c_ends_a_slow_replay(recorded: dict[str, Recorded]) -> None:
    it = recorded["usual"]
    id = it.answers["progress, True"].headers[TRACE_ID]
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        assert command.main(["replay", str(it.file), "--turn", id, "--speed", "0.01"]) == 130
    finally:
        signal.signal(signal.SIGALRM, before)


# The command


def test_of_several_turns_one_has_to_be_named(
    recorded: dict[str, Recorded], capsys: pytest.CaptureFixture[str]
) -> None:
    it = recorded["usual"]
    assert command.main(["replay", str(it.file)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("name one with --turn; the file holds:\n") and "1 leg, 0 tool calls" in err
    assert command.main(["replay", str(it.file), "--turn", "nope"]) == 2
    assert 'no turn of the file begins with "nope"' in capsys.readouterr().err


def test_how_it_went_is_told_as_json(
    recorded: dict[str, Recorded], capsys: pytest.CaptureFixture[str]
) -> None:
    it = recorded["usual"]
    id = it.answers["tools, False"].headers[TRACE_ID]
    assert command.main(["replay", str(it.file), "--turn", f"chatcmpl-{id}", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    counts = {"turn": id, "legs": 3, "tool_calls": 3, "status": 200, "same": True}
    assert told == counts | {"difference": None, "broken_off": None}


def test_an_answer_is_shown_for_people(
    recorded: dict[str, Recorded], capfd: pytest.CaptureFixture[str]
) -> None:
    it = recorded["usual"]
    command.main(["replay", str(it.file), "--turn", it.answers["tools, True"].headers[TRACE_ID]])
    out = capfd.readouterr().out
    assert out.startswith("Look: \n| ==> tool call ")
    assert out.endswith("\nSo.\n")


def test_a_file_that_breaks_off_is_warned_of(
    recorded: dict[str, Recorded], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    half = tmp_path / "half.flows"
    half.write_bytes(recorded["usual"].file.read_bytes()[:-10])
    id = recorded["usual"].answers["text, True"].headers[TRACE_ID]
    assert command.main(["replay", str(half), "--turn", id]) == 0
    assert "breaks off" in capfd.readouterr().err


@pytest.mark.parametrize("content", [b"", b"no flows", b'{"log": 1}', b"3:abc,", b"2:12#"])
def test_a_file_that_holds_no_turn_is_told(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").write_bytes(content)
    assert command.main(["replay", str(tmp_path / "x")]) == 2
    assert str(tmp_path / "x") in capsys.readouterr().err
    assert command.main(["replay", str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize("speed", ["fast", "0", "-1", "nan", "inf"])
def test_a_speed_that_is_none_is_told(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["replay", "x", f"--speed={speed}"])
    assert ended.value.code == 2
    assert "neither `recorded` nor a number" in capsys.readouterr().err


WATCHED = ("socket.connect", "socket.bind", "subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec")


@pytest.mark.contract("BX-12")
def test_nothing_is_started_and_nobody_is_asked(recorded: dict[str, Recorded]) -> None:
    it = recorded["usual"]
    turns = [it.turn(case) for case in ("tools, True", "a retry, False", "a direct command, True")]
    is_watching, seen = True, []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if is_watching and event in WATCHED:
            seen.append(event)

    sys.addaudithook(watch)  # it cannot be taken out again
    try:
        assert all(play(turn)[1].same for turn in turns)
    finally:
        is_watching = False
    assert not seen
