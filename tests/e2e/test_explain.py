"""A dry run: what would be asked, and what each part of it costs; nothing is asked and no tool is called."""

import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import CHAT_PATH, Client, question
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.e2e.launch import SERVICE_KEY, UPSTREAM_KEY
from tests.e2e.proxy import Proxy, ended, running
from tests.fakes.answers import calls, says
from tests.fakes.upstream import Upstream

EXPLAIN = {"X-Werkzeugkoppler-Explain": "1"}
COMMAND = (sys.executable, "-O", "-m", "werkzeugkoppler.explain")
SERVER = Path(__file__).parents[1] / "fakes" / "mcp_stdio_server.py"


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    demo = {"server_id": "demo", "transport": "stdio", "command": sys.executable, "args": [str(SERVER)]}
    found = "{last_user_message_reader_result:manuals}"
    return {
        "init_messages": [
            {"role": "system", "content": f"Our manuals say {found}"},
            {"role": "developer", "content": f"Never tell anyone {SERVICE_KEY}."},
        ],
        "last_user_message_readers": [{"name": "manuals", "command": "sh -c 'sleep 0.1; tr a-z A-Z'"}],
        "actions": [HELLO],
        "allowed_direct_commands": ["touch"],
        "mcp_servers": [demo],
    }


async def explained(client: Client, body: Any = None) -> dict[str, Any]:
    answer = await client.send("POST", CHAT_PATH, body or question(), EXPLAIN)
    assert answer.status == 200, answer.body
    return dict(answer.json)


def rows(explanation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["source"]: row for row in explanation["rows"]}


@pytest.mark.contract("BX-13")
@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_told_is_what_is_asked(client: Client, upstream: Upstream, stream: bool) -> None:
    body = question("Überlong?", stream=stream)
    explanation = await explained(client, body)
    assert explanation["object"] == "werkzeugkoppler.explanation"
    assert not upstream.requests
    upstream.script(says("Hello."))
    await client.send("POST", CHAT_PATH, body)
    asked = upstream.chats[0].body.decode()
    assert explanation["upstream"]["body"] == asked.replace(SERVICE_KEY, "[removed]")
    assert explanation["upstream"]["url"] == f"{upstream.url}/v1/chat/completions"
    assert explanation["total"]["bytes"] == len(upstream.chats[0].body)


@pytest.mark.contract("BX-13")
async def test_each_part_has_a_row_with_its_size(client: Client, upstream: Upstream) -> None:
    explanation = await explained(client, question(stream=True))
    found = rows(explanation)
    first = ["init message 1 (system)", "init message 2 (developer)", "reader manuals"]
    fields = "fields: stream_options, n"
    assert sorted(found) == sorted([*first, "tools of demo", "tools of actions", fields])
    assert found[fields]["bytes"] == len(',"stream_options":{"include_usage":true},"n":1')
    message = json.loads(explanation["upstream"]["body"])["messages"][0]
    assert message["content"] == "Our manuals say HELLO?"
    size = len(json.dumps(message, separators=(",", ":")))
    assert found[first[0]]["bytes"] == size and found[first[0]]["tokens"] == -(-size // 4)
    assert found["reader manuals"]["bytes"] == len("HELLO?")
    assert explanation["tokens_are"] == "estimated"


@pytest.mark.contract("BX-13")
async def test_what_readers_take_is_told_in_milliseconds(client: Client, upstream: Upstream) -> None:
    explanation = await explained(client)
    reader = rows(explanation)["reader manuals"]["ms"]
    assert 100 <= reader <= explanation["total"]["ms"]
    assert rows(explanation)["tools of actions"]["ms"] is None


@pytest.mark.contract("BX-13")
async def test_the_diff_shows_what_is_added_to_the_clients_request(
    client: Client, upstream: Upstream
) -> None:
    diff = (await explained(client))["diff"].split("\n")
    assert diff[:2] == ["--- client", "+++ upstream"]
    assert '+      "content": "Our manuals say HELLO?",' in diff
    assert '       "content": "Hello?"' in diff


@pytest.mark.contract("BX-13", "BX-17")
async def test_no_key_is_in_an_explanation(client: Client, upstream: Upstream) -> None:
    answer = await client.send("POST", CHAT_PATH, question(), EXPLAIN)
    assert b"[removed]" in answer.body
    assert SERVICE_KEY.encode() not in answer.body and UPSTREAM_KEY.encode() not in answer.body


@pytest.mark.contract("BX-13")
async def test_what_comes_back_from_memory_has_a_row(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(CALL_HELLO), says("Done."))
    answer = (await client.chat()).json["choices"][0]["message"]
    body = question()
    body["messages"] += [
        {"role": "assistant", "content": answer["content"]},
        {"role": "user", "content": "And?"},
    ]
    explanation = await explained(client, body)
    assert [m["role"] for m in json.loads(explanation["upstream"]["body"])["messages"][3:5]] == [
        "assistant",
        "tool",
    ]
    assert rows(explanation)["put back from memory"]["bytes"] > 0


@pytest.mark.contract("BX-13")
async def test_no_model_is_looked_up_for_it(client: Client, upstream: Upstream) -> None:
    body = question()
    del body["model"]
    upstream.script(says("Hello."))
    await client.send("POST", CHAT_PATH, body)
    before = len(upstream.requests)
    named = json.loads((await explained(client, body))["upstream"]["body"])["model"]
    assert named == json.loads(upstream.chats[0].body)["model"]
    assert len(upstream.requests) == before


@pytest.mark.contract("BX-13")
async def test_a_stranger_is_told_nothing(stranger: Client, upstream: Upstream) -> None:
    assert (await stranger.send("POST", CHAT_PATH, question(), EXPLAIN)).status == 401


async def test_a_request_that_cannot_be_used_is_refused_as_ever(client: Client, upstream: Upstream) -> None:
    answer = await client.send("POST", CHAT_PATH, {"messages": []}, EXPLAIN)
    assert answer.status == 400 and answer.error["code"] == "missing_messages"


@pytest.mark.contract("BX-13")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_direct_command_is_neither_explained_nor_run(
    client: Client, proxy: Proxy, upstream: Upstream, stream: bool
) -> None:
    answer = await client.send("POST", CHAT_PATH, question("@@ touch explained", stream=stream), EXPLAIN)
    assert answer.status == 400 and answer.error["code"] == "direct_command"
    assert not (proxy.folder / "explained").exists() and not upstream.requests


async def test_a_body_too_long_for_a_diff_has_none(client: Client, upstream: Upstream) -> None:
    explanation = await explained(client, question("x" * 1024 * 1024))
    assert explanation["diff"] is None and explanation["total"]["bytes"] > 1024 * 1024


async def test_another_value_of_the_header_asks_for_nothing(client: Client, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    answer = await client.send("POST", CHAT_PATH, question(), {"X-Werkzeugkoppler-Explain": "0"})
    assert answer.json["object"] == "chat.completion"


@pytest.mark.contract("BX-13", "OW-61")
async def test_the_tool_that_asks_for_permission_has_a_row(upstream: Upstream, tmp_path: Path) -> None:
    settings = {"actions": [HELLO | {"costs": ["deploy"]}]}
    async with running(tmp_path, upstream.url, settings) as proxy:
        async with aiohttp.ClientSession(proxy.url) as session:
            explanation = await explained(Client(session, SERVICE_KEY))
    tools = json.loads(explanation["upstream"]["body"])["tools"]
    assert [tool["function"]["name"] for tool in tools] == ["actions__hello", "request_permission"]
    size = len(json.dumps(tools[1], ensure_ascii=False, separators=(",", ":")).encode())
    assert rows(explanation)["tools of operator"]["bytes"] == size


@pytest.mark.contract("BX-13")
async def test_the_command_prints_a_table_and_the_diff(proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "question.txt").write_text("What is new?\n", encoding="utf-8")
    config = str(proxy.folder / "config.yaml")
    code, output = await ended(tmp_path, [*COMMAND, "question.txt", "--config", config])
    assert code == 0, output
    assert "+ reader manuals" in output and "= what would be asked" in output
    assert '+      "content": "Our manuals say WHAT IS NEW?",' in output
    assert "\x1b" not in output and SERVICE_KEY not in output


@pytest.mark.contract("BX-13")
async def test_the_command_prints_json(proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text(json.dumps(question("As JSON?")), encoding="utf-8")
    config = str(proxy.folder / "config.yaml")
    code, output = await ended(tmp_path, [*COMMAND, "body.json", "--json", "--config", config])
    assert code == 0, output
    assert json.loads(json.loads(output)["upstream"]["body"])["messages"][-1]["content"] == "As JSON?"
