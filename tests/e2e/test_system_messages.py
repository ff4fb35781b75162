"""One system message, for models whose template takes no second one."""

from typing import Any

import pytest

from tests.e2e.client import Client
from tests.fakes.answers import says
from tests.fakes.upstream import Upstream


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    ours = [{"role": "system", "content": "We are one."}, {"role": "user", "content": "An example."}]
    return {"init_messages": ours, "system_messages": "merge"}


@pytest.mark.contract("BX-23")
async def test_leading_system_texts_become_one_message(client: Client, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    question = {"role": "user", "content": "Hello?"}
    await client.chat(messages=[{"role": "system", "content": "Be brief."}, question])
    system, *others = upstream.chats[0].json["messages"]
    assert system == {"role": "system", "content": "We are one.\n\nBe brief."}
    assert others == [{"role": "user", "content": "An example."}, question]
