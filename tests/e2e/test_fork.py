"""Saved turns gone on from: a leg is asked anew, and only that and what follows."""

import json
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.e2e.launch import UPSTREAM_KEY, Command, write_config
from tests.e2e.proxy import ended, spawned
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream
from werkzeugkoppler.config import load
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.playing import saved
from werkzeugkoppler.playing.choice import choose
from werkzeugkoppler.playing.edit import edited
from werkzeugkoppler.playing.fork import Forked, fork, plan_of
from werkzeugkoppler.playing.replay import replay
from werkzeugkoppler.playing.saved import NotSaved, SavedTurn
from werkzeugkoppler.wire.jsontext import JsonObject

TRACE_ID = "X-Werkzeugkoppler-Trace-Id"
GONE = {**HELLO, "name": "gone"}
GUARDED = {**HELLO, "name": "guarded", "approval": "ask"}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saved") / "turns.flows"


@pytest.fixture(scope="module")
def command(file: Path) -> Command:
    return Command(arguments=["-w", str(file)])


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"actions": [HELLO, GONE, GUARDED], "init_messages": [{"role": "system", "content": "Ours: é"}]}


async def saved_turn(file: Path, id: str) -> SavedTurn:
    """The turn, as soon as its last flow is in the file: the client may have its answer a little before."""
    while True:
        with suppress(NotSaved):  # nothing is in it yet
            turn = saved.read(file).turns.get(id)
            if turn is not None and turn.is_playable:
                return turn
        await anyio.sleep(0.02)


@pytest.fixture
async def turn(client: Client, upstream: Upstream, file: Path) -> SavedTurn:
    """A turn with a call of ours, streamed."""
    upstream.script(calls(CALL_HELLO, text="Look: "), says("Hi."))
    answer = await client.chat(stream=True, temperature=1.50)
    return await saved_turn(file, answer.headers[TRACE_ID])


def now(folder: Path, upstream: Upstream, **more: Any) -> Settings:
    """The config that is forked with: another one than was recorded with."""
    wanted = {"upstream_base_url": upstream.url, "actions": [HELLO, GUARDED], **more}
    return load.load(str(write_config(folder, wanted)), {})


class Fork:
    """A fork that was made here."""

    def __init__(self, folder: Path, upstream: Upstream, **more: Any) -> None:
        self.settings = now(folder, upstream, **more)
        self.told = bytearray()
        self.warnings: list[str] = []
        self.file = BytesIO()
        self.out = folder / "out.flows"

    async def of(self, turn: SavedTurn, leg: int, *change: Any) -> Forked:
        plan = plan_of(turn, leg, *change)
        forked = await fork(plan, self.settings, self.told.extend, self.warnings.append, self.file)
        self.out.write_bytes(self.file.getvalue())
        return forked

    async def saved(self) -> SavedTurn:
        return choose(saved.read(self.out), None)


@pytest.mark.contract("BX-12")
async def test_a_leg_is_asked_with_another_model_and_nothing_else_changed(
    turn: SavedTurn, upstream: Upstream, tmp_path: Path
) -> None:
    before = upstream.chats[1].body
    upstream.script(says("Hello from another."))
    fork = Fork(tmp_path, upstream)
    forked = await fork.of(turn, 2, "other-model")
    assert (forked.status, forked.failure) == (200, None)
    assert b'"Hello from another."' in fork.told
    asked = upstream.chats[2].body
    assert asked == before.replace(b'"fake-model"', b'"other-model"') != before
    assert upstream.chats[2].header("authorization") == f"Bearer {UPSTREAM_KEY}"


@pytest.mark.contract("BX-12")
async def test_a_fork_runs_tools_again_and_can_be_played_and_forked_itself(
    turn: SavedTurn, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(calls(CALL_HELLO), says("Twice."))
    fork = Fork(tmp_path, upstream)
    forked = await fork.of(turn, 2)
    again = await fork.saved()
    assert (again.id, sorted(again.legs), len(again.tools)) == (forked.turn, [2, 3], 1)
    assert b"sk-" not in fork.file.getvalue()
    pieces: list[bytes] = []
    played = await replay(again, pieces.append, None)
    assert (played.difference, b"".join(pieces)) == (None, bytes(fork.told))
    upstream.script(says("Thrice."))
    assert (await Fork(tmp_path, upstream).of(again, 3)).status == 200
    assert upstream.chats[-1].json["messages"] == upstream.chats[-2].json["messages"]


@pytest.mark.contract("BX-12")
async def test_a_fork_leaves_a_trace(turn: SavedTurn, upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(says("Hi."))
    forked = await Fork(tmp_path, upstream).of(turn, 2)
    text = (tmp_path / "traces" / f"{forked.turn}.trace.ndjson").read_text(encoding="utf-8")
    events = [json.loads(line) for line in text.splitlines()]
    types = [event["type"] for event in events]
    assert types == ["trace_version", "proxy_request", "leg_request", "leg", "proxy_response"]
    assert (events[1]["forked_from"], events[1]["forked_leg"], events[1]["stream"]) == (turn.id, 2, True)
    assert (events[3]["leg"], events[-1]["status_code"], events[-1]["cancelled"]) == (2, 200, False)


@pytest.mark.contract("BX-12")
async def test_a_tool_that_is_gone_is_warned_of_and_the_model_is_told(
    turn: SavedTurn, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(calls(Call("actions__gone")), says("Then not."))
    fork = Fork(tmp_path, upstream)
    assert (await fork.of(turn, 2)).failure is None
    (warning,) = fork.warnings
    assert warning.startswith("tools of then that are not there now") and warning.endswith(": actions__gone")
    assert upstream.chats[-1].json["messages"][-1]["content"].count("Unknown tool 'actions__gone'") == 1
    assert (await replay(await fork.saved(), lambda data: None, None)).difference is None


@pytest.mark.contract("BX-12", "BX-11")
async def test_a_call_that_needs_approval_is_denied_as_there_is_no_operator(
    turn: SavedTurn, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(calls(Call("actions__guarded")), says("Then not."))
    await Fork(tmp_path, upstream).of(turn, 2)
    assert "no interactive operator available" in upstream.chats[-1].json["messages"][-1]["content"]


async def test_the_error_of_a_fork_is_its_answer(turn: SavedTurn, upstream: Upstream, tmp_path: Path) -> None:
    forked = await Fork(tmp_path, upstream).of(turn, 2)  # nothing is scripted: 418
    assert (forked.status, forked.failure) == (418, "418")


def editor(folder: Path, script: str) -> dict[str, str]:
    """An environment whose editor is a script, with the file's path in `$1`."""
    program = folder / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o700)
    return {"EDITOR": f"'{program}'", "TMPDIR": str(folder)}


def editing(folder: Path, script: str) -> Callable[[JsonObject], JsonObject]:
    return lambda body: edited(body, editor(folder, script))


@pytest.mark.contract("BX-12")
async def test_edited_messages_are_asked_and_the_rest_stays_as_it_was_written(
    turn: SavedTurn, upstream: Upstream, tmp_path: Path
) -> None:
    before = upstream.chats[1].body
    upstream.script(says("Hi."))
    await Fork(tmp_path, upstream).of(turn, 2, None, editing(tmp_path, "sed -i s/Hello?/Goodbye?/ $1"))
    assert upstream.chats[2].body == before.replace(b"Hello?", b"Goodbye?") != before


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("true", "the body was not changed"),
        ("echo >> $1", "the body was not changed"),
        ("false", "the editor ended with 1"),
        ("echo '{' > $1", "the edited body cannot be used"),
        ("echo '{}' > $1", "the edited body cannot be used"),
    ],
)
async def test_an_edit_that_is_none_asks_nothing(
    turn: SavedTurn, upstream: Upstream, tmp_path: Path, script: str, words: str
) -> None:
    with pytest.raises(NotSaved, match=words):
        plan_of(turn, 2, None, editing(tmp_path, script))
    assert len(upstream.chats) == 2


async def test_without_an_editor_it_is_said_how_to_name_one(turn: SavedTurn) -> None:
    with pytest.raises(NotSaved, match=r"set \$?VISUAL or \$?EDITOR"):
        plan_of(turn, 2, None, lambda body: edited(body, {}))


async def test_a_leg_that_is_not_there_is_told(turn: SavedTurn) -> None:
    with pytest.raises(NotSaved, match="has no leg 3, it has: 1, 2"):
        plan_of(turn, 3)


@pytest.mark.contract("BX-12")
async def test_the_command_streams_to_the_terminal_and_names_the_trace(
    turn: SavedTurn, upstream: Upstream, file: Path, tmp_path: Path
) -> None:
    config = write_config(tmp_path, {"upstream_base_url": upstream.url, "actions": [HELLO]})
    upstream.script(calls(CALL_HELLO), says("Hello ", "there."))
    line = [sys.executable, "-O", "-m", "werkzeugkoppler.playing", "fork", str(file), "--turn", turn.id[:6]]
    line += ["--leg", "1", "--model", "m2", "--config", str(config), "-w", str(tmp_path / "out.flows")]
    code, output = await ended(tmp_path, line)
    assert code == 0, output
    assert "Hello there.\n" in output and '| ==> tool call `{"name":"actions__hello"' in output
    assert f"forked turn {turn.id[:6]} at leg 1: turn " in output.splitlines()[-1]
    assert [chat.json["model"] for chat in upstream.chats[2:]] == ["m2", "m2"]
    assert (await replay(choose(saved.read(tmp_path / "out.flows"), None), lambda data: None, None)).same


@pytest.mark.contract("BX-12")
async def test_ctrl_c_ends_a_fork_and_its_children(
    turn: SavedTurn, upstream: Upstream, file: Path, tmp_path: Path, lifelines: Any
) -> None:
    hold = lifelines.action("hello")
    config = write_config(tmp_path, {"upstream_base_url": upstream.url, "actions": [hold]})
    upstream.script(calls(CALL_HELLO))
    line = [sys.executable, "-O", "-m", "werkzeugkoppler.playing", "fork", str(file), "--turn", turn.id]
    line += ["--leg", "1", "--config", str(config), "-w", str(tmp_path / "out.flows")]
    async with spawned(tmp_path, line, Command()) as process:
        await lifelines.running(1)
        process.send_signal(signal.SIGINT)
        await lifelines.running(0)
        assert await process.wait() == 130
    again = choose(saved.read(tmp_path / "out.flows"), None)
    played = await replay(again, lambda data: None, None)
    assert (played.difference, played.broken_off) == (None, "the call of actions__hello was broken off")
