"""A reader that takes its time holds up nothing but its own turn."""

from typing import Any

import anyio
import pytest

from tests.e2e.client import Client
from tests.fakes.answers import says
from tests.fakes.lifelines import Lifelines
from tests.fakes.upstream import Upstream

FOUND = "{last_user_message_reader_result:one} {last_user_message_reader_result:two}"


@pytest.fixture(scope="module")
def settings(lifelines: Lifelines) -> dict[str, Any]:
    return {
        "init_messages": [{"role": "system", "content": f"Found: {FOUND}"}],
        "system_messages": "merge",
        "last_user_message_readers": [lifelines.reader("one"), lifelines.reader("two")],
        "stream_keepalive_seconds": 0.1,
    }


@pytest.mark.contract("WK-42", "WK-52", "WK-127")
async def test_readers_run_side_by_side_and_everybody_else_is_served(
    client: Client, upstream: Upstream, lifelines: Lifelines
) -> None:
    upstream.script(says("Hello."))
    async with client.streamed(messages=CHAT) as stream:
        assert [await stream.event() for _ in range(2)] == [b": keepalive"] * 2
        await lifelines.running(2)
        with anyio.fail_after(1):
            assert (await client.get("/healthz")).status == 200
        assert not upstream.chats
        await lifelines.let_go()
        assert (await stream.rest()).text == "Hello."
    merged = {"role": "system", "content": "Found: let go let go\n\nBe kind."}
    assert upstream.chats[0].json["messages"] == [merged, CHAT[1]]


CHAT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello?"}]


@pytest.mark.contract("WK-144", "BX-05")
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_ends_the_readers(
    client: Client, upstream: Upstream, lifelines: Lifelines, stream: bool
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.chat(stream=stream))
        await lifelines.running(2)
        tasks.cancel_scope.cancel()
    with anyio.fail_after(1):
        await lifelines.running(0)
    assert not upstream.chats
