"""What a client asks for besides text reaches every leg as it was written, and so does what comes back."""

import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import CHAT_PATH, Client
from tests.e2e.declared import CALL_HELLO, HELLO, WEATHER
from tests.e2e.launch import ROOT, SERVICE_KEY
from tests.e2e.proxy import running
from tests.fakes.answers import Json, Sse, calls, says
from tests.fakes.chunks import Call, calls_completion, chunk, completion, text_chunks
from tests.fakes.mcp_tools import PNG
from tests.fakes.upstream import Upstream

SCHEMA = '{"type":"object","properties":{"z":{"minimum":1.0},"a":{"maximum":1e3}},"required":[ "z" ]}'
MEMBERS = {
    "parallel_tool_calls": "false",
    "logprobs": "true",
    "top_logprobs": "5",
    "logit_bias": '{"50256": -1.0e2}',
    "response_format": f'{{"type":"json_schema", "json_schema":{{"name":"x","schema":{SCHEMA}}}}}',
    "modalities": '["text"]',
    "prediction": '{"type":"content","content":"\\u00e9"}',
}
PICTURE = (
    '{"type":"image_url","image_url":{ "url":"data:image\\/png;base64,iVBORw0KGgo+/w==","detail":"low" }}'
)


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"actions": [HELLO], "tool_trace": "off"}


def written(messages: str = '{"role":"user","content":"?"}', **members: str) -> bytes:
    """A request from texts."""
    more = "".join(f',"{key}":{text}' for key, text in members.items())
    return f'{{"model":"fake-model","messages":[{messages}]{more}}}'.encode()


@pytest.mark.contract("BX-07", "OW-56")
@pytest.mark.parametrize("stream", ["true", "false"])
async def test_settings_reach_every_leg_as_they_were_written(
    client: Client, upstream: Upstream, stream: str
) -> None:
    upstream.script(calls(CALL_HELLO), says("Done."))
    assert (await client.send("POST", CHAT_PATH, written(stream=stream, **MEMBERS))).status == 200
    for leg in upstream.chats:
        assert all(f'"{key}":{text}'.encode() in leg.body for key, text in MEMBERS.items())


CHOICES: dict[str, tuple[str, str]] = {
    "none": ('"none"', '"none"'),
    "auto": ('"auto"', '"auto"'),
    "required": ('"required"', '"auto"'),
    "a function": ('{"type":"function", "function":{"name":"actions__hello"}}', '"auto"'),
    "a tool that takes text": ('{"type":"custom", "custom":{"name":"patch"}}', '"auto"'),
    "some tools": (
        '{ "type":"allowed_tools", "allowed_tools":{"mode": "required", "tools":[{"x":1.0}]} }',
        '{ "type":"allowed_tools", "allowed_tools":{"mode": "auto", "tools":[{"x":1.0}]} }',
    ),
}


@pytest.mark.contract("BX-07", "WK-120")
@pytest.mark.parametrize(("choice", "after"), CHOICES.values(), ids=CHOICES)
async def test_every_form_of_a_tool_choice_reaches_the_first_leg(
    client: Client, upstream: Upstream, choice: str, after: str
) -> None:
    upstream.script(calls(CALL_HELLO), says("Done."))
    assert (await client.send("POST", CHAT_PATH, written(tool_choice=choice))).status == 200
    first, second = (leg.body for leg in upstream.chats)
    assert f'"tool_choice":{choice}'.encode() in first
    assert f'"tool_choice":{after}'.encode() in second


@pytest.mark.contract("BX-07", "OW-46")
async def test_pictures_reach_every_leg_in_questions_and_in_results(
    client: Client, upstream: Upstream
) -> None:
    call = json.dumps(Call("weather", id="w").wire())
    messages = [
        f'{{"role":"user","content":[{PICTURE}, {{"type":"text","text":"?"}}]}}',
        f'{{"role":"assistant","content":null,"tool_calls":[{call}]}}',
        f'{{"role":"tool","tool_call_id":"w","content":[{{"type":"text","text":"see"}}, {PICTURE}]}}',
    ]
    upstream.script(calls(CALL_HELLO), says("Done."))
    body = written(",".join(messages), tools=json.dumps([WEATHER]))
    assert (await client.send("POST", CHAT_PATH, body)).status == 200
    assert all(",".join(messages).encode() in leg.body for leg in upstream.chats)


@pytest.mark.contract("WK-116")
async def test_a_picture_of_an_mcp_server_is_told_as_the_server_sent_it(
    upstream: Upstream, tmp_path: Path
) -> None:
    script = str(ROOT / "tests" / "fakes" / "mcp_stdio_server.py")
    server = {"server_id": "io", "transport": "stdio", "command": sys.executable, "args": [script]}
    upstream.script(calls(Call("io__picture")), says("Done."))
    async with running(tmp_path, upstream.url, {"mcp_servers": [server]}) as proxy:
        async with aiohttp.ClientSession(proxy.url) as session:
            assert (await Client(session, SERVICE_KEY).transcript()).text == "Done."
    told = json.loads(upstream.chats[1].json["messages"][-1]["content"])
    (part,) = told["result"]["content"]
    assert (told["ok"], part) == (True, {"type": "image", "data": PNG, "mimeType": "image/png"})


LOGPROBS = (
    '{"content":[{"token":"D\\u00f6ne","logprob":-1.0e-2,"bytes":[68],"top_logprobs":[]}],"refusal":null}'
)


@pytest.mark.contract("BX-07")
async def test_log_probabilities_of_a_later_leg_reach_a_streaming_client_as_they_were_written(
    client: Client, upstream: Upstream
) -> None:
    choice = f'{{"index":0,"delta":{{"content":"x"}},"logprobs":{LOGPROBS},"finish_reason":null}}'
    head = '"id":"other","object":"chat.completion.chunk","created":1.0e9,"model":"m"'
    odd = f'data: {{{head},"choices":[{choice}],"cost":0.10}}\n\n'.encode()
    upstream.script(calls(CALL_HELLO), Sse([odd, chunk({}, finish="stop")]))
    async with client.streamed(logprobs=True) as stream:
        received = await stream.response.read()
    assert choice.encode() in received and b'"cost":0.10' in received


@pytest.mark.contract("BX-07")
async def test_log_probabilities_of_a_plain_answer_are_those_of_all_its_text(
    client: Client, upstream: Upstream
) -> None:
    early, last = calls_completion(CALL_HELLO, text="One. "), completion("Two.")
    for leg, token in ((early, "One. "), (last, "Two.")):
        leg["choices"][0]["logprobs"] = {"content": [{"token": token, "logprob": -0.5}]}
    upstream.script(Json(early), Json(last))
    (choice,) = (await client.chat(logprobs=True)).json["choices"]
    assert [told["token"] for told in choice["logprobs"]["content"]] == ["One. ", "Two."]


@pytest.mark.contract("BX-07")
async def test_a_plain_answer_of_several_legs_is_the_last_as_it_was_written(
    client: Client, upstream: Upstream
) -> None:
    body = json.dumps(completion("Two."), indent=1).replace('"Two."', '"T\\u0077o."').encode()
    body = body.replace(b"{", b'{"big":123456789012345678901234567890, "cost":0.10,', 1)
    first = calls_completion(CALL_HELLO, text="One. ", usage=None)
    upstream.script(Json(first), Json(body))
    answer = await client.chat()
    assert answer.body == body.replace(b'"T\\u0077o."', b'"One. Two."')


@pytest.mark.contract("BX-07")
async def test_numbers_survive_in_the_chunks_of_every_leg(client: Client, upstream: Upstream) -> None:
    numbers = '"n":[1.0,1e5,0.10,-0.0,123456789012345678901234567890]'
    role, *rest = text_chunks("a", usage=None)
    odd = [f"data: {json.dumps(piece)[:-1]},{numbers}}}\n\n".encode() for piece in (role, *rest)]
    upstream.script(calls(CALL_HELLO, id="first"), Sse(odd))
    async with client.streamed() as stream:
        received = await stream.response.read()
    assert received.count(numbers.encode()) == len(rest)  # the role was told before
