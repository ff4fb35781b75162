"""Without a memory nothing is kept, and calls of ours beside the client's are not run."""

from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.declared import CALL_HELLO, HELLO, WEATHER
from tests.e2e.test_memory import CALL_WEATHER, NEXT, Chat, tools_called
from tests.fakes.answers import calls, says
from tests.fakes.upstream import Upstream


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"actions": [HELLO], "tool_memory": {"enabled": False}}


@pytest.mark.contract("BX-04")
@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_is_put_back(client: Client, upstream: Upstream, stream: bool) -> None:
    upstream.script(calls(CALL_HELLO), says("Done."), says("Yes."))
    chat = Chat(client, "off", stream=stream)
    await chat.ask()
    await chat.ask(NEXT)
    assert tools_called(upstream, 2) == ["user", "assistant", "user"]


@pytest.mark.parametrize("stream", [False, True])
async def test_of_mixed_calls_only_the_clients_is_handed_over_and_ours_is_not_run(
    client: Client, upstream: Upstream, stream: bool
) -> None:
    upstream.script(calls(CALL_HELLO, CALL_WEATHER), says("Sunny."))
    chat = Chat(client, "off mixed", stream=stream, tools=[WEATHER])
    assert (await chat.ask())["tool_calls"] == [CALL_WEATHER.wire()]
    await chat.ask({"role": "tool", "tool_call_id": "call_w", "content": "sun"})
    assert tools_called(upstream, 1) == ["user", "assistant+weather", "tool"]
