"""Direct commands: `@@` in the latest user message runs a command here, and the model hears nothing of it."""

import sys
from typing import Any

import anyio
import pytest

from tests.e2e.client import CHAT_PATH, Client, Transcript
from tests.e2e.proxy import Proxy
from tests.fakes.answers import says
from tests.fakes.lifelines import PROGRAM, Lifelines
from tests.fakes.upstream import Upstream

EURO = f"""{sys.executable} -c 'print("€" * 1000)'"""


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {
        "allowed_direct_commands": ["echo", "exit", "true", "cat", "pwd", "seq", "yes", "pri*f", "/usr/bin/*"]
        + ["sleep", "env", sys.executable],
        "direct_command_timeout_seconds": 3,
        "stream_keepalive_seconds": 0.1,
    }


async def plain(client: Client, code: str) -> str:
    """The text of a plain answer to a command."""
    answer = await client.chat(f"@@ {code}")
    assert answer.status == 200, answer.body
    assert answer.json["choices"][0]["finish_reason"] == "stop"
    return str(answer.json["choices"][0]["message"]["content"])


async def asked(client: Client, messages: list[dict[str, Any]]) -> str:
    """The text of a plain answer to a conversation."""
    answer = await client.send("POST", CHAT_PATH, {"model": "fake-model", "messages": messages})
    assert answer.status == 200, answer.body
    return str(answer.json["choices"][0]["message"]["content"])


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


# The faults of the original


@pytest.mark.contract("WK-71")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_running_command_holds_nobody_up(client: Client, upstream: Upstream, stream: bool) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.chat("@@ sleep 4", stream=stream))
        upstream.script(says("Hello."))
        assert (await client.chat()).status == 200
        with anyio.fail_after(1):
            assert (await client.get("/healthz")).status == 200
        tasks.cancel_scope.cancel()


@pytest.mark.contract("WK-70", "WK-71", "BX-05")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_kills_the_whole_group(
    client: Client, lifelines: Lifelines, stream: bool
) -> None:
    code = f"@@ {sys.executable} {PROGRAM} {lifelines.port} 2; true"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.chat(code, stream=stream))
        await lifelines.running(2)
        tasks.cancel_scope.cancel()
    with anyio.fail_after(1):
        await lifelines.running(0)


@pytest.mark.contract("WK-70")
async def test_a_client_that_leaves_amid_the_output_kills_the_whole_group(
    client: Client, lifelines: Lifelines
) -> None:
    code = f"@@ echo begun; {sys.executable} {PROGRAM} {lifelines.port} 2"
    async with client.streamed(code) as stream:
        while "begun" not in (await stream.chunk())["choices"][0]["delta"].get("content", ""):
            pass
        await lifelines.running(2)
    with anyio.fail_after(1):
        await lifelines.running(0)


@pytest.mark.contract("WK-74")
async def test_a_command_finds_its_input_closed(client: Client) -> None:
    assert await plain(client, "cat") == "```\n$ cat\n\n```\n\n(Return Code 0)"


@pytest.mark.contract("WK-73")
async def test_a_character_is_never_cut_in_two(client: Client) -> None:
    for _ in range(3):
        transcript = await client.transcript(f"@@ {EURO}")
        assert "\N{REPLACEMENT CHARACTER}" not in transcript.text
        assert transcript.text.count("€") == 1001


@pytest.mark.contract("WK-78")
@pytest.mark.parametrize("text", ["@@ -1,3 +1,4 @@ def f():\n-a\n+b", "@@ -1 +1 @@", "@@@ -1 -1 +1,2 @@@"])
async def test_a_pasted_hunk_of_a_diff_goes_to_the_model(
    client: Client, upstream: Upstream, text: str
) -> None:
    upstream.script(says("A diff."))
    assert await asked(client, [user(text)]) == "A diff."
    upstream.script(says("Yes."))
    conversation = [user(text), assistant("A diff."), user("Sure?")]
    await asked(client, conversation)
    assert upstream.chats[-1].json["messages"] == conversation


@pytest.mark.contract("WK-76")
async def test_the_answer_to_a_later_question_is_kept(client: Client, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    await asked(client, [user("@@ echo a"), user("Real?"), assistant("Real."), user("More?")])
    assert upstream.chats[0].json["messages"] == [user("Real?"), assistant("Real."), user("More?")]


# What is a command


@pytest.mark.contract("WK-53", "WK-54", "WK-55", "WK-61")
@pytest.mark.parametrize(
    "messages",
    [
        [user(" @@ echo hi")],
        [user("Hello?"), assistant("Hello."), user("@@echo hi"), assistant("Well,")],
        [user([{"type": "text", "text": "@@ echo hi"}])],
    ],
)
async def test_a_command_runs_without_the_model(
    client: Client, upstream: Upstream, messages: list[dict[str, Any]]
) -> None:
    assert "\nhi\n" in await asked(client, messages)
    assert not upstream.chats


@pytest.mark.contract("WK-75")
async def test_the_model_never_sees_earlier_commands(client: Client, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    system = {"role": "system", "content": "Be kind."}
    conversation = [user("@@ echo a"), system, assistant("```\n$ echo a"), user("Hi"), assistant("Ho")]
    await asked(client, [*conversation, user("@@ rm"), assistant("Error: no"), user("And?")])
    kept = [system, user("Hi"), assistant("Ho"), user("And?")]
    assert upstream.chats[0].json["messages"] == kept


# What may run


@pytest.mark.contract("WK-56", "WK-57")
@pytest.mark.parametrize("code", ["echo a", "printf a", "/usr/bin/printf a", "true; echo a"])
async def test_the_first_word_decides(client: Client, code: str) -> None:
    assert await plain(client, code) == f"```\n$ {code}\na\n```\n\n(Return Code 0)"


@pytest.mark.contract("WK-56", "WK-58")
@pytest.mark.parametrize("code", ["rm x", "ECHO a", "/bin/echo a"])
async def test_what_is_not_allowed_is_refused(client: Client, upstream: Upstream, code: str) -> None:
    answer = await client.chat(f"@@ {code}")
    name = code.partition(" ")[0]
    assert (answer.status, answer.error["code"]) == (400, "direct_command_not_allowed")
    begin = f"`{name}` is not an allowed direct command. Allowed commands are:\necho\nexit\n"
    assert answer.error["message"].startswith(begin)
    assert not upstream.chats


@pytest.mark.contract("WK-58")
@pytest.mark.parametrize("code", ["", "echo 'a"])
async def test_what_is_no_command_is_refused(client: Client, code: str) -> None:
    answer = await client.chat(f"@@ {code}")
    assert (answer.status, answer.error["code"]) == (400, "direct_command_not_allowed")


@pytest.mark.contract("WK-59")
async def test_a_streamed_refusal_is_an_answer(client: Client) -> None:
    transcript = await client.transcript("@@ rm x")
    assert transcript.text.startswith("Error: `rm` is not an allowed direct command.")
    assert (transcript.roles, transcript.finishes, transcript.done) == (["assistant"], ["stop"], 1)


# What it is answered with


@pytest.mark.contract("WK-60", "WK-61", "WK-64")
@pytest.mark.parametrize(
    "code, output, return_code",
    [
        ("echo a | cat", "a", 0),
        ("echo a >&2; echo b", "a\nb", 0),
        ("echo a > file.txt; cat file.txt", "a", 0),
        ("exit 3", "", 3),
        ("echo; echo a; echo; echo", "\na", 0),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_shows_code_output_and_return_code(
    client: Client, stream: bool, code: str, output: str, return_code: int
) -> None:
    text = (await client.transcript(f"@@ {code}")).text if stream else await plain(client, code)
    assert text == f"```\n$ {code}\n{output}\n```\n\n(Return Code {return_code})"


@pytest.mark.contract("WK-62")
async def test_several_lines_are_shown_as_code(client: Client) -> None:
    assert await plain(client, "echo a\necho b") == (
        "Executing shell code:\n\n```\necho a\necho b\n```\n\n---\nOutput:\n\n"
        "```\na\nb\n```\n\n(Return Code 0)"
    )


@pytest.mark.contract("WK-63", "WK-127")
async def test_output_is_shown_while_the_command_runs(client: Client, lifelines: Lifelines) -> None:
    code = f"echo one; {sys.executable} {PROGRAM} {lifelines.port}; exit 7"
    async with client.streamed(f"@@ {code}") as stream:
        first = await stream.chunk()
        assert first["choices"][0]["delta"] == {"role": "assistant", "content": f"```\n$ {code}\n"}
        assert (await stream.chunk())["choices"][0]["delta"] == {"content": "one"}
        await lifelines.running(1)
        assert await stream.event() == b": keepalive"
        await lifelines.let_go()
        rest = await stream.rest()
    assert rest.text == "\nlet go\n```\n\n(Return Code 7)"
    last = rest.chunks[-1]["choices"][0]
    assert last == {"index": 0, "delta": {"content": rest.text[7:]}, "finish_reason": "stop"}
    assert (rest.roles, rest.done, rest.heads("id")) == ([], 1, {first["id"]})


@pytest.mark.contract("WK-72")
async def test_a_command_runs_where_the_proxy_was_started(client: Client, proxy: Proxy) -> None:
    assert str(proxy.folder.resolve()) in await plain(client, "pwd")


@pytest.mark.contract("BX-17")
async def test_a_command_does_not_see_the_settings_of_the_proxy(client: Client) -> None:
    text = await plain(client, "env")
    assert "PATH=" in text and "WERKZEUGKOPPLER_" not in text


# Limits


@pytest.mark.contract("WK-65", "WK-67")
@pytest.mark.parametrize("stream", [False, True])
async def test_too_many_lines_end_a_command(client: Client, stream: bool) -> None:
    text = await shown(client, "seq 8001", stream)
    assert text.endswith("\n8000\n```\n\n(Return Code 124)\n\nCommand output reached line limit.")
    assert (await shown(client, "seq 8000", stream)).endswith("\n8000\n```\n\n(Return Code 0)")


@pytest.mark.contract("WK-66", "WK-67")
@pytest.mark.parametrize("stream", [False, True])
async def test_too_many_bytes_end_a_command(client: Client, stream: bool) -> None:
    text = await shown(client, "yes xxxxxxxxx", stream)
    assert text.endswith("x\n```\n\n(Return Code 124)\n\nCommand output reached bytes limit.")
    assert text.count("xxxxxxxxx\n") == 4001  # one of them is the command


@pytest.mark.contract("WK-74")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_command_that_takes_too_long_is_killed(
    client: Client, lifelines: Lifelines, stream: bool
) -> None:
    text = await shown(client, f"{sys.executable} {PROGRAM} {lifelines.port} 2", stream)
    assert text.endswith("(Return Code 124)\n\nCommand timed out after 3 seconds.")
    with anyio.fail_after(1):
        await lifelines.running(0)


async def test_what_a_command_leaves_running_ends_with_it(client: Client, lifelines: Lifelines) -> None:
    text = await plain(client, f"echo a; {sys.executable} {PROGRAM} {lifelines.port} & sleep 1")
    assert text.endswith("\na\n```\n\n(Return Code 0)")
    with anyio.fail_after(1):
        await lifelines.running(0)


# The model


@pytest.mark.contract("WK-79")
async def test_an_answer_names_the_model_that_was_asked_for(client: Client) -> None:
    transcript: Transcript = await client.transcript("@@ true", model="my-model")
    assert transcript.heads("model") == {"my-model"}


async def shown(client: Client, code: str, stream: bool) -> str:
    """The text of an answer in either form."""
    return (await client.transcript(f"@@ {code}")).text if stream else await plain(client, code)
