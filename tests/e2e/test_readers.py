"""Readers fetch what belongs to the user's last message, and it is put into our own messages alone."""

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.client import Client
from tests.e2e.declared import CALL_HELLO, HELLO
from tests.e2e.proxy import Proxy
from tests.fakes.answers import calls, says
from tests.fakes.upstream import Upstream

GERMAN = re.compile(r"<(\w+tag|Mittwoch), \d{1,2}\. [A-Z]\w+ \d{4}, \d\d:\d\d:\d\d>")
OTHERS = {
    "today": "<{ today }>",
    "format": "{today:%Y-%m-%d %Z}",
    "result": "{ last_user_message_reader_result : quoted }",
    "parts": [{"type": "text", "text": "{last_user_message_reader_output:quoted}"}],
    "nobody": "<{last_user_message_reader_result:nobody}>",
    "twice": "{last_user_message_reader_result:once} {last_user_message_reader_result:once}",
}


def shell(name: str, script: str, *arguments: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "command": "sh", "arguments": ["-c", script, "-", *arguments], **more}


READERS = [
    {"name": "quoted", "command": "printf '[%s]' $LAST_USER_MESSAGE"},
    shell("argument", 'printf %s "$1"', "--q=$LAST_USER_MESSAGE"),
    {"name": "variable", "command": "printenv LAST_USER_MESSAGE"},
    {"name": "stdin", "command": "cat"},
    {"name": "size", "command": "wc -c"},
    shell("once", "echo run >> once.log; wc -l < once.log"),
    shell("unnamed", "echo run >> unnamed.log"),
    shell("injected", "echo '{today} {last_user_message_reader_result:quoted}'"),
    shell("slow", "echo partial; exec sleep 1000", timeout=0.2),
    {"name": "missing", "command": "/no/such/program"},
    shell("grumbling", "echo found; echo 'a complaint' >&2; exit 3"),
    {"name": "place", "command": "pwd", "run_path": "home"},
    shell("long", "printf aääääää", max_output_bytes=4),
    shell("secrets", "env"),
]


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    named = {reader["name"]: f"{{last_user_message_reader_output:{reader['name']}}}" for reader in READERS}
    del named["unnamed"]
    texts = named | OTHERS
    return {
        "init_messages": [{"role": "system", "name": name, "content": texts[name]} for name in texts],
        "last_user_message_readers": READERS,
        "actions": [HELLO],
        "timezone": "Asia/Tokyo",
    }


def shown(upstream: Upstream, leg: int = 0) -> dict[str, Any]:
    """What each of our messages became, by its name."""
    messages = upstream.chats[leg].json["messages"]
    return {message["name"]: message["content"] for message in messages if message["role"] == "system"}


async def told(client: Client, upstream: Upstream, text: Any = "Hello?", **fields: Any) -> dict[str, Any]:
    """What our messages become for a message of the user's."""
    upstream.script(says("Hello."))
    assert (await client.chat(text, **fields)).status == 200
    return shown(upstream)


@pytest.mark.contract("WK-36", "WK-37", "WK-38", "WK-39", "WK-40", "WK-44", "WK-46")
@pytest.mark.parametrize("stream", [False, True])
async def test_placeholders_become_the_time_and_what_the_readers_found(
    client: Client, proxy: Proxy, upstream: Upstream, stream: bool
) -> None:
    text = 'it\'s "the" $HOME; {today} `id` ä'
    texts = await told(client, upstream, text, stream=stream)
    assert GERMAN.fullmatch(texts["today"])
    assert texts["result"] == texts["quoted"] == f"[{text}]"
    assert texts["parts"] == [{"type": "text", "text": f"[{text}]"}]
    assert texts["argument"] == f"--q={text}"
    assert texts["variable"] == texts["stdin"] == text
    assert texts["nobody"] == "<>"
    assert "There is no reader nobody" in proxy.output


@pytest.mark.contract("WK-36")
async def test_the_time_is_that_of_the_configured_zone(client: Client, upstream: Upstream) -> None:
    texts = await told(client, upstream)
    now = datetime.now(ZoneInfo("Asia/Tokyo"))
    assert texts["format"] in {f"{day:%Y-%m-%d} JST" for day in (now, now - timedelta(minutes=1))}


@pytest.mark.contract("WK-41")
async def test_the_clients_own_messages_stay_as_they_are(client: Client, upstream: Upstream) -> None:
    text = "What is {today} and {last_user_message_reader_result:quoted}?"
    theirs = [{"role": role, "content": text} for role in ("user", "assistant", "user")]
    await told(client, upstream, messages=theirs)
    assert upstream.chats[0].json["messages"][-3:] == theirs


async def test_what_a_reader_prints_is_not_looked_into_again(client: Client, upstream: Upstream) -> None:
    texts = await told(client, upstream)
    assert texts["injected"] == "{today} {last_user_message_reader_result:quoted}"


@pytest.mark.contract("WK-42", "WK-43")
async def test_each_reader_runs_once_a_turn(client: Client, proxy: Proxy, upstream: Upstream) -> None:
    first = await told(client, upstream)
    upstream.reset()
    upstream.script(calls(CALL_HELLO), says("Done."))
    await client.transcript()
    once, again = shown(upstream, 0)["twice"].split()
    assert int(once) == int(again) == int(first["once"]) + 1
    assert shown(upstream, 0) == shown(upstream, 1)
    assert (proxy.folder / "unnamed.log").read_text().split() == ["run"] * int(once)


@pytest.mark.contract("WK-45")
async def test_the_message_is_the_text_of_the_last_one_of_the_user(
    client: Client, upstream: Upstream
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:,x"}}
    parts = [{"type": "text", "text": "one"}, image, {"type": "text", "text": "two"}]
    messages = [
        {"role": "user", "content": "before"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "after"},
    ]
    assert (await told(client, upstream, messages=messages))["stdin"] == "one\ntwo"


@pytest.mark.contract("WK-47")
async def test_a_message_of_any_length_reaches_the_readers(client: Client, upstream: Upstream) -> None:
    text = "x" * 200_000
    texts = await told(client, upstream, text)
    assert (texts["size"], texts["stdin"], texts["variable"]) == ("200000", text, "")
    assert len(texts["argument"]) > 100_000 and text.startswith(texts["argument"].removeprefix("--q="))


@pytest.mark.contract("WK-48", "WK-49", "WK-50")
async def test_a_reader_that_fails_costs_the_turn_nothing(
    client: Client, proxy: Proxy, upstream: Upstream
) -> None:
    texts = await told(client, upstream)
    assert (texts["slow"], texts["missing"], texts["grumbling"]) == ("", "", "found")
    assert "The reader slow took longer than 0.2 seconds" in proxy.output
    assert "The reader missing cannot be run" in proxy.output
    assert "The reader grumbling wrote to stderr: a complaint" in proxy.output


@pytest.mark.contract("WK-51")
async def test_a_reader_runs_in_its_folder(client: Client, proxy: Proxy, upstream: Upstream) -> None:
    assert (await told(client, upstream))["place"] == str(proxy.folder / "home")


async def test_what_a_reader_prints_is_bounded(client: Client, upstream: Upstream) -> None:
    texts = await told(client, upstream)
    assert texts["long"] == "aä\n\n[cut at 4 bytes, 9 more were dropped]"


@pytest.mark.contract("BX-17")
async def test_a_reader_is_not_given_our_keys(client: Client, upstream: Upstream) -> None:
    environment = (await told(client, upstream))["secrets"]
    assert "LAST_USER_MESSAGE=Hello?" in environment
    assert "sk-service" not in environment and "sk-upstream" not in environment
