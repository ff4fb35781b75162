"""A streaming client sees the calls of our tools in the reasoning."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import Client, Transcript, question
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.e2e.launch import SERVICE_KEY
from tests.e2e.proxy import running
from tests.fakes.answers import Answer, Sse, calls, says
from tests.fakes.chunks import Call, calls_chunks, chunk
from tests.fakes.upstream import Upstream

ECHO = {
    "name": "echo",
    "description": "Says it again",
    "command": "echo",
    "arguments": ["$TEXT"],
    "parameters": [{"name": "TEXT", "type": "insecure_string"}],
}
CALL_LINE = '\n\n==> tool call `{"name":"actions__hello","arguments":{}}`\n'
RESULT_LINE = '\n==> tool result `["hello"]`\n\n'


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"actions": [HELLO, ECHO]}


def assert_one_message(transcript: Transcript) -> None:
    assert all(len(transcript.heads(key)) == 1 for key in ("id", "created", "model", "object"))
    assert (transcript.roles, transcript.finishes, transcript.done) == (["assistant"], ["stop"], 1)


def thinking(key: str | None) -> Answer:
    """A leg that thinks under this key, and calls a tool."""
    first, *rest = calls_chunks(CALL_HELLO)
    return Sse([first, chunk({key: "Hm."}), *rest] if key else [first, *rest])


@pytest.mark.contract("WK-130", "WK-131", "BX-01")
async def test_a_call_and_its_result_are_shown(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(CALL_HELLO, text="Let me see. "), says("Done."))
    transcript = await client.transcript()
    assert transcript.joined("reasoning_content") == CALL_LINE + RESULT_LINE
    assert (transcript.text, transcript.tool_calls) == ("Let me see. Done.", [])
    assert_one_message(transcript)


@pytest.mark.contract("WK-131")
async def test_what_was_shown_is_not_sent_on_by_a_client_that_sends_it_back(
    client: Client, upstream: Upstream
) -> None:
    """Mistral and Groq refuse the field (charmbracelet/crush#1590, janhq/jan#8136), pydantic-ai sends it."""
    shown = {"role": "assistant", "content": "Done.", "reasoning_content": CALL_LINE + RESULT_LINE}
    upstream.script(says("You're welcome."))
    await client.chat(messages=[*question()["messages"], shown, {"role": "user", "content": "Thanks."}])
    assert upstream.chats[0].json["messages"][1] == {"role": "assistant", "content": "Done."}


@pytest.mark.contract("WK-131")
async def test_a_call_that_fails_is_shown_with_its_error(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(Call("actions__echo", "{}")), says("Done."))
    shown = (await client.transcript()).joined("reasoning_content")
    failure = json.loads(shown.rpartition("==> tool result `")[2].rstrip("`\n"))
    assert failure["is_error"] is True and "TEXT" in failure["error"] and "ok" not in failure


@pytest.mark.contract("WK-131")
async def test_what_is_long_is_cut(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(Call("actions__echo", json.dumps({"TEXT": "x" * 5000}))), says("Done."))
    call, result = (await client.transcript()).joined("reasoning_content").split("`\n\n==> tool result `")
    for text in (call.removeprefix("\n\n==> tool call `"), result.removesuffix("`\n\n")):
        assert text.endswith("x...<truncated>")
        assert len(text.removesuffix("...<truncated>")) == 3000


@pytest.mark.contract("WK-132")
@pytest.mark.parametrize(
    "used, field",
    [("reasoning", "reasoning"), ("reasoning_content", "reasoning_content"), (None, "reasoning_content")],
)
async def test_the_field_is_that_of_the_upstream(
    client: Client, upstream: Upstream, used: str | None, field: str
) -> None:
    upstream.script(thinking(used), says("Done."))
    transcript = await client.transcript()
    assert transcript.joined(field).endswith(CALL_LINE + RESULT_LINE)
    assert {key for delta in transcript.deltas for key in delta} <= {"role", "content", field}


@pytest.mark.contract("WK-132")
@pytest.mark.parametrize("choice", ["reasoning", "reasoning_content", "off"])
async def test_the_field_can_be_set_and_switched_off(upstream: Upstream, tmp_path: Path, choice: str) -> None:
    settings = {"actions": [HELLO], "tool_trace": choice}
    other = "reasoning" if choice == "reasoning_content" else "reasoning_content"
    async with (
        running(tmp_path, upstream.url, settings) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
    ):
        upstream.script(thinking(other), says("Done."))
        transcript = await Client(session, SERVICE_KEY).transcript()
    assert transcript.joined(choice) == ("" if choice == "off" else CALL_LINE + RESULT_LINE)
    assert transcript.joined(other) == "Hm."


async def test_a_plain_answer_shows_no_calls(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(CALL_HELLO), says("Done."))
    (choice,) = (await client.chat()).json["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Done.", "refusal": None}
