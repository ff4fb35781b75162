"""Settings that change who answers: one model for all requests, and words of ours where a call is denied."""

import json
from typing import Any

import pytest

from tests.e2e.client import CHAT_PATH, Client
from tests.e2e.proxy import Proxy
from tests.e2e.trace_files import of, trace
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream
from tests.oracle import Complete, judge

REFUSAL = """\
A tool call was denied, and the answer ends here.

Action: actions__publish
Missing authorization: deploy, git_push"""


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    publish = {"name": "publish", "description": "Publishes", "command": "touch", "arguments": ["published"]}
    return {
        "upstream_model": "the-one",
        "denied_call_reply": "refusal",
        "actions": [publish | {"costs": ["deploy", "git_push"]}],
    }


@pytest.mark.contract("OW-60")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_denied_call_ends_the_answer_with_words_about_it(
    client: Client, proxy: Proxy, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(Call("actions__publish"), text="At once."), says("What else?"))
    answer = await client.chat("Publish it.", stream=stream)
    judged = judge(answer.status, answer.headers["content-type"], answer.body)
    assert isinstance(judged, Complete)
    assert (judged.text, judged.finish, judged.calls) == (f"At once.\n\n{REFUSAL}", "content_filter", ())
    assert len(upstream.chats) == 1 and not (proxy.folder / "published").exists()
    # The next turn has all of it in its place.
    history = [
        {"role": "user", "content": "Publish it."},
        {"role": "assistant", "content": f"At once.\n\n{REFUSAL}"},
        {"role": "user", "content": "Then not."},
    ]
    await client.chat(messages=history, stream=stream)
    asked, called, told, refused, last = upstream.chats[1].json["messages"]
    assert (asked, last) == (history[0], history[2])
    assert (called["content"], called["tool_calls"][0]["function"]["name"]) == (
        "At once.",
        "actions__publish",
    )
    assert json.loads(told["content"])["missing"] == ["deploy", "git_push"]
    assert refused == {"role": "assistant", "content": REFUSAL}


@pytest.mark.contract("OW-60", "OW-61")
async def test_a_permission_that_is_denied_is_for_the_model(client: Client, upstream: Upstream) -> None:
    asked = json.dumps({"action": "publish", "reasoning": "r", "category": "deploy"})
    upstream.script(calls(Call("request_permission", asked)), says("Then not."))
    answer = await client.chat()
    assert answer.json["choices"][0]["message"]["content"] == "Then not."


@pytest.mark.contract("OW-23")
@pytest.mark.parametrize("named", [{}, {"model": "other"}, {"model": "the-one"}])
async def test_one_model_is_asked_for_whatever_the_client_names(
    client: Client, proxy: Proxy, upstream: Upstream, named: dict[str, str]
) -> None:
    upstream.script(says("Hello."))
    answer = await client.send("POST", CHAT_PATH, {**named, "messages": [{"role": "user", "content": "?"}]})
    assert upstream.chats[0].json["model"] == "the-one"
    events = await trace(proxy, answer.headers["X-Werkzeugkoppler-Trace-Id"])
    (request,), (leg,) = of("proxy_request", events), of("leg", events)
    assert request["model"] == "the-one"
    assert request.get("model_substituted_from") == ("other" if named == {"model": "other"} else None)
    assert leg["model"] == answer.json["model"] == "fake-model"
