"""Settings that change what the upstream is asked: one system message, and a default model."""

from typing import Any

import pytest

from tests.e2e.client import CHAT_PATH, Client
from tests.fakes.answers import says
from tests.fakes.upstream import Upstream


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    ours = [{"role": "system", "content": "We are one."}, {"role": "user", "content": "An example."}]
    return {"init_messages": ours, "system_messages": "merge", "upstream_default_model": "the-default"}


@pytest.mark.contract("BX-23")
async def test_leading_system_texts_become_one_message(client: Client, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    question = {"role": "user", "content": "Hello?"}
    await client.chat(messages=[{"role": "system", "content": "Be brief."}, question])
    system, *others = upstream.chats[0].json["messages"]
    assert system == {"role": "system", "content": "We are one.\n\nBe brief."}
    assert others == [{"role": "user", "content": "An example."}, question]


@pytest.mark.contract("WK-149")
@pytest.mark.parametrize("named, asked", [({}, "the-default"), ({"model": "other"}, "other")])
async def test_a_request_without_a_model_gets_the_default(
    client: Client, upstream: Upstream, named: dict[str, str], asked: str
) -> None:
    upstream.script(says("Hello."))
    request = {"messages": [{"role": "user", "content": "Hello?"}], **named}
    assert (await client.send("POST", CHAT_PATH, request)).status == 200
    assert upstream.chats[0].json["model"] == asked
