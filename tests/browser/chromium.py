"""A headless Chromium, driven over its own debugging protocol: no driver, no further package.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import aiohttp
import anyio

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
START_SECONDS: Final = 30.0
CALL_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.05


def installed() -> str | None:
    """The browser on this machine, where there is one."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


@dataclass
class Page:
    """One page, and its end of the protocol."""

    socket: aiohttp.ClientWebSocketResponse
    _ids: "count[int]" = field(default_factory=lambda: count(1))

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; its events are passed over.

        Raises:
            AssertionError: The browser refuses.
        """
        number = next(self._ids)
        with anyio.fail_after(CALL_SECONDS):
            await self.socket.send_json({"id": number, "method": method, "params": params})
            while (answer := await self.socket.receive_json()).get("id") != number:
                pass
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, script: str) -> Any:
        """Wait until an expression is true, and give its value; the caller bounds it."""
        while not (value := await self.run(script)):  # noqa: ASYNC110 - the page tells of nothing
            await anyio.sleep(POLL_SECONDS)
        return value

    async def texts(self, selector: str) -> list[str]:
        """The texts of all elements that a selector matches."""
        texts: list[str] = await self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText)"
        )
        return texts

    async def click(self, selector: str, text: str = "") -> None:
        """Click the first element with this text in it, once it is there; the caller bounds it."""
        found = f"[...document.querySelectorAll({json.dumps(selector)})]"
        wanted = f"{found}.find(e => e.innerText.includes({json.dumps(text)}))"
        await self.until(f"(() => {{ const e = {wanted}; if (e) e.click(); return !!e; }})()")

    async def screenshot(self, path: Path) -> None:
        """Write what the page looks like, as PNG."""
        shot = await self.call("Page.captureScreenshot", format="png")
        await anyio.Path(path).write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def opened(program: str, folder: Path, url: str, size: tuple[int, int]) -> AsyncIterator[Page]:
    """Open a page in a browser of its own, with a new profile, and end the browser on leaving."""
    profile = folder / "profile"
    window = f"--window-size={size[0]},{size[1]}"
    line = [program, *FLAGS, window, f"--user-data-dir={profile}", "about:blank"]
    with (folder / "chromium.log").open("wb") as log:
        process = await anyio.open_process(
            line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        async with aiohttp.ClientSession(await _address(profile)) as session:
            async with session.ws_connect(await _page(session), max_msg_size=0) as socket:
                page = Page(socket)
                await page.call("Page.navigate", url=url)
                yield page
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True), anyio.fail_after(CALL_SECONDS):
            await process.wait()


async def _address(profile: Path) -> str:
    """Where the browser listens, which it writes into its profile."""
    file = profile / "DevToolsActivePort"
    with anyio.fail_after(START_SECONDS):
        while not (file.exists() and file.read_text().strip()):  # noqa: ASYNC110 - another process writes it
            await anyio.sleep(POLL_SECONDS)
    return f"http://127.0.0.1:{file.read_text().split()[0]}"


async def _page(session: aiohttp.ClientSession) -> str:
    with anyio.fail_after(START_SECONDS):
        while True:
            async with session.get("/json/list") as response:
                pages = [target for target in await response.json() if target["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
            await anyio.sleep(POLL_SECONDS)
