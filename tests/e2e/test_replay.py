"""Turns of a real proxy, saved, and played again when nothing of what answered them is there any more."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from tests.e2e.client import Answer, Client
from tests.e2e.declared import CALL_HELLO, HELLO, WEATHER, WITH_USAGE
from tests.e2e.launch import SERVICE_KEY, Command
from tests.e2e.proxy import Proxy, running
from tests.fakes import answers, chunks
from tests.fakes.answers import RESET, Json, Sse, calls, says
from tests.fakes.chunks import Call, chunk
from tests.fakes.upstream import Upstream
from werkzeugkoppler.playing import command, saved
from werkzeugkoppler.playing.replay import Played, replay
from werkzeugkoppler.playing.saved import Saved, SavedTurn
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
WITHOUT_IDS = {
    "role": "assistant",
    "content": None,
    "tool_calls": [without_id(CALL_HELLO), without_id(mark("n"))],
}
NO_IDS = Json(
    chunks.completion(None)
    | {"choices": [{"index": 0, "message": WITHOUT_IDS, "finish_reason": "tool_calls"}]}
)

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
    "a permission": ([calls(Call("actions__costly")), calls(ASKS), says("No.")], {}),
    "a killed call": ([calls(mark("please kill tool")), says("Then not.")], {}),
    "an edited call": ([calls(mark("please edit tool")), says("So.")], {}),
    "an edited result": ([calls(mark("please edit the tool's answer")), says("So.")], {}),
    "an answered call": ([calls(mark("please answer tool")), says("So.")], {}),
    "a retry": ([AWAY, says("There.")], {}),
    "no retry left": ([AWAY, AWAY], {}),
    "a refusal": ([REFUSED], {}),
    "a refusal later": ([calls(CALL_HELLO), REFUSED], {}),
    "half an answer": ([HALF, HALF], {}),
    "an error in a stream": ([TOLD_LATE, TOLD_LATE], {}),
    "not streamed": ([NO_IDS, Json(chunks.completion("Whole."))], {}),
    "mixed": ([calls(CALL_HELLO, Call("weather", id="w1"))], {"tools": [WEATHER]}),
    "a handed over call": ([calls(Call("weather", id="w1"))], {"tools": [WEATHER]}),
    "one loop too many": ([calls(CALL_HELLO), calls(CALL_HELLO), calls(CALL_HELLO)], {"-": 1}),
}  # fmt: skip
PROMPTS: dict[str, tuple[str, list[answers.Answer]]] = {
    "a killed leg": ("please kill leg", []),
    "an edited leg": ("please edit leg", [calls(CALL_HELLO), says("Hi.")]),
    "an answered leg": ("please answer leg", []),
    "a direct command": ("@@ echo one; echo two", []),
    "a killed command": ("@@ echo please kill command", []),
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
        return saved.choose(self.saved, self.answers[name].headers[TRACE_ID])


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
