"""What a person sees of a turn in mitmweb, in a real browser."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.browser.chromium import Page, opened
from tests.e2e.client import Client
from tests.e2e.proxy import Proxy
from tests.e2e.web import TOKEN, Web, looking
from tests.fakes.answers import calls, says
from tests.fakes.chunks import Call
from tests.fakes.upstream import Upstream

SIZE = (1500, 900)
DISKS = {
    "name": "disk_usage",
    "description": "How full the disks are",
    "command": "echo",
    "arguments": ["/dev/sda1  67% of 512 GB"],
    "parameters": [
        {"name": "PATH_TO_LOOK_AT", "type": "insecure_string", "description": "A path", "default": "/"}
    ],
}
SETTINGS: dict[str, Any] = {
    "actions": [DISKS],
    "init_messages": [{"role": "system", "content": "You look after this machine.\nAnswer in one sentence."}],
}
CALL = Call("actions__disk_usage", '{"PATH_TO_LOOK_AT": "/"}', id="call_disks")
QUESTION = "How full are the disks?"
SHOTS = os.environ.get("SCREENSHOTS")
"""A folder for pictures of what the tests see; none: they are not taken."""


@asynccontextmanager
async def looked_at(
    program: str, folder: Path, upstream: Upstream, *options: str
) -> AsyncIterator[tuple[Page, Web, Proxy]]:
    """The proxy under mitmweb, and a browser that shows it."""
    async with looking(folder, upstream.url, SETTINGS, *options) as (proxy, web):
        async with opened(program, folder, f"{web.url}/?token={TOKEN}", SIZE) as page:
            await page.until("!!document.querySelector('.flow-table')")
            await web.post("/clear")
            yield page, web, proxy


async def a_turn(client: Client, upstream: Upstream) -> None:
    upstream.script(calls(CALL, text="Let me look. "), says("The disk ", "is ", "67% full."))
    assert (await client.transcript(QUESTION)).text == "Let me look. The disk is 67% full."


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await anyio.sleep(0.5)  # what is shown must have been drawn
        await page.screenshot(Path(SHOTS) / f"{name}.png")


@pytest.mark.contract("BX-09")
async def test_a_turns_flows_are_listed_with_their_names(
    program: str, upstream: Upstream, tmp_path: Path
) -> None:
    async with looked_at(program, tmp_path, upstream) as (page, web, proxy), web.client(proxy) as client:
        await a_turn(client, upstream)
        await page.until("document.querySelector('.flow-table').innerText.includes('2 legs')")
        names = await page.texts("td.col-comment")
        heads = [
            "turn",
            "leg 1 · tool_calls · 9 tokens",
            "actions/disk_usage · ok",
            "leg 2 · stop · 9 tokens",
        ]
        assert all(name.startswith(head) for name, head in zip(names, heads, strict=True)), names
        assert await page.run("document.querySelector('td.col-comment').offsetWidth") > 600, (
            "they are cut off"
        )
        await shot(page, "list")


@pytest.mark.contract("BX-09")
async def test_a_leg_shows_its_messages_and_its_answer(
    program: str, upstream: Upstream, tmp_path: Path
) -> None:
    async with looked_at(program, tmp_path, upstream) as (page, web, proxy), web.client(proxy) as client:
        await a_turn(client, upstream)
        await page.click("td.col-comment", "leg 2 ·")
        await page.click(".nav-tabs a", "Request")
        await page.until(
            "document.querySelector('.contentview')?.innerText.includes('added by Werkzeugkoppler')"
        )
        shown = "\n".join(await page.texts(".contentview"))
        assert (
            "Chat request" in shown and f"user: {QUESTION}" in shown and "call actions__disk_usage" in shown
        )
        await shot(page, "request")
        await page.click(".nav-tabs a", "Response")
        await page.until(
            "document.querySelector('.contentview')?.innerText.includes('The disk is 67% full.')"
        )
        assert "first text" in (await page.texts(".contentview"))[0]
        await shot(page, "answer")


@pytest.mark.contract("BX-09", "BX-10")
async def test_a_call_that_is_held_goes_on_when_somebody_lets_it(
    program: str, upstream: Upstream, tmp_path: Path
) -> None:
    async with looked_at(program, tmp_path, upstream, "intercept=~q & ~d \\.tool$") as (page, web, proxy):
        async with web.client(proxy) as client, anyio.create_task_group() as group:
            group.start_soon(a_turn, client, upstream)
            await page.click("td.col-comment", "actions/disk_usage")
            await page.until("document.querySelector('.contentview')?.innerText.includes('PATH_TO_LOOK_AT')")
            await shot(page, "held")
            assert len(upstream.chats) == 1
            await page.click("button", "Resume")
            await upstream.chat(2)
