"""The proxy under the real mitmweb, and what mitmweb says of its flows."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import anyio

from tests.e2e.client import TIMEOUT, Client
from tests.e2e.launch import LAUNCHER, SERVICE_KEY, free_port, free_url, write_config
from tests.e2e.proxy import POLL_SECONDS, Proxy, serving

TOKEN: Final = "look"

type Flow = dict[str, Any]
"""As mitmweb gives it to its page."""


@dataclass(frozen=True)
class Web:
    """mitmweb's own API, as its page uses it."""

    url: str
    session: aiohttp.ClientSession

    async def flows(self) -> list[Flow]:
        """All flows, in the order of the view."""
        async with self.session.get("/flows") as response:
            flows: list[Flow] = await response.json()
        return flows

    async def turns(self) -> list[Flow]:
        """The flows but those of the harness, which asks whether the proxy is there."""
        return [flow for flow in await self.flows() if flow["request"]["path"] != "/healthz"]

    async def until(self, is_so: Callable[[list[Flow]], bool]) -> list[Flow]:
        """Ask again until the flows are so; the caller bounds it."""
        while not is_so(flows := await self.turns()):  # noqa: ASYNC110 - another process makes them
            await anyio.sleep(POLL_SECONDS)
        return flows

    async def shown(self, flow: Flow, message: str, view: str = "auto") -> dict[str, Any]:
        """A message through a content view; `message` is `request` or `response`."""
        async with self.session.get(f"/flows/{flow['id']}/{message}/content/{view}.json") as response:
            shown: dict[str, Any] = await response.json()
        return shown

    async def content(self, flow: Flow, message: str) -> bytes:
        """The body of a message, which is `request` or `response`."""
        async with self.session.get(f"/flows/{flow['id']}/{message}/content.data") as response:
            return await response.read()

    async def events(self) -> str:
        """The log, as its page shows it."""
        async with self.session.get("/events") as response:
            return await response.text()

    async def post(self, path: str) -> None:
        """Do what a button of the page does."""
        async with self.session.post(path) as response:
            assert response.status == 200, await response.text()

    async def change(self, flow: Flow, **values: Any) -> None:
        """Edit a flow, as the page does."""
        async with self.session.put(f"/flows/{flow['id']}", json=values) as response:
            assert response.status == 200, await response.text()

    @asynccontextmanager
    async def client(self, proxy: Proxy) -> AsyncIterator[Client]:
        """A client of the proxy, with the right key."""
        async with aiohttp.ClientSession(proxy.url, timeout=TIMEOUT) as session:
            yield Client(session, SERVICE_KEY)


@asynccontextmanager
async def looking(
    folder: Path, upstream: str, settings: Mapping[str, Any], *options: str
) -> AsyncIterator[tuple[Proxy, Web]]:
    """Start the proxy under mitmweb, with `--set` options, and look at its flows."""
    url, port = free_url(), free_port()
    config = write_config(folder, {"service_base_url": url, "upstream_base_url": upstream, **settings})
    sets = [f"web_port={port}", f"web_password={TOKEN}", *options]
    arguments = [part for option in sets for part in ("--set", option)]
    async with serving(folder, url, [*LAUNCHER, "web", "--config", str(config), "--", *arguments]) as proxy:
        xsrf = {"Cookie": "_mitmproxy_xsrf=x", "X-XSRFToken": "x"}  # the same twice is what is asked
        headers = {"Authorization": f"Bearer {TOKEN}", **xsrf}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
            yield proxy, Web(f"http://127.0.0.1:{port}", session)
