"""Configs with the keys of the original's examples start unchanged, and answer."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import NOWHERE, SERVICE_KEY
from tests.e2e.proxy import running
from tests.fakes.answers import says
from tests.fakes.upstream import Upstream

TEXT = {"name": "TEXT", "type": "insecure_string", "description": "What to keep"}
CONFIGS: dict[str, dict[str, Any]] = {
    "minimal": {"logging": {"level": "INFO"}},
    "upstream": {"upstream_connect_retries": -1, "upstream_retry_interval_ms": 1000},
    "system message": {"init_messages": [{"role": "system", "content": "You are exact.\nBe brief.\n"}]},
    "reader": {
        "last_user_message_readers": [
            {"name": "rag", "command": "/bin/echo", "arguments": ["search", "--query", "$LAST_USER_MESSAGE"]}
        ],
        "init_messages": [{"role": "system", "content": "Found: { last_user_message_reader_output:rag }"}],
    },
    "mcp": {"mcp_servers": [{"server_id": "demo_http_mcp", "transport": "http", "url": f"{NOWHERE}/mcp/"}]},
    "action": {
        "actions": [
            {
                "name": "memory_add",
                "description": "Keep one thing",
                "command": "/bin/echo",
                "arguments": ["add", "--text", "$TEXT"],
                "parameters": [TEXT],
            }
        ]
    },
    "direct commands": {"allowed_direct_commands": ["echo", "ls", "find", "systemctl"]},
    "remote control": {"allowed_direct_commands": ["*"], "max_output_lines": 800, "max_output_bytes": 80000},
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
async def test_a_config_of_the_original_starts_and_answers(
    upstream: Upstream, tmp_path: Path, config: dict[str, Any]
) -> None:
    upstream.script(says("Hello."))
    async with (
        running(tmp_path, upstream.url, config) as proxy,
        aiohttp.ClientSession(proxy.url) as session,
    ):
        assert (await Client(session, SERVICE_KEY).chat("Hi")).status == 200
    if "last_user_message_readers" in config:
        assert upstream.chats[0].json["messages"][0]["content"] == "Found: search --query Hi"
