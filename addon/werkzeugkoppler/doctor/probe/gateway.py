"""Requests to the gateway that is probed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from anyio import move_on_after

from werkzeugkoppler.doctor.probe.transcript import Transcript, Whole

CHAT_PATH = "/v1/chat/completions"


def normalised(url: str) -> str:
    """A gateway's base URL without `/v1` and without a slash at its end."""
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


class Stream:
    """An answer that is still coming; perhaps it has not begun.

    Args:
        opening: Gives the response once its headers are there.
        patience: Seconds that `until` waits.
    """

    def __init__(self, opening: asyncio.Task[aiohttp.ClientResponse], patience: float) -> None:
        self.so_far = Transcript(0, {})
        self._opening = opening
        self._patience = patience

    async def until(self, seen: Callable[[Transcript], object]) -> bool:
        """Read until something is seen; False where the answer ended, or patience did."""
        with move_on_after(self._patience):
            while not seen(self.so_far):
                piece = await self._next()
                if not piece:
                    return False
                self.so_far.take(piece)
            return True
        return False

    async def rest(self) -> Transcript:
        """Read to the end; an answer that breaks off is noted in the transcript."""
        broken = ""
        try:
            while piece := await self._next():
                self.so_far.take(piece)
        except (aiohttp.ClientError, OSError) as error:
            if not self.so_far.status:
                raise
            broken = f"the body broke off ({type(error).__name__})"
        self.so_far.close(broken)
        return self.so_far

    async def _next(self) -> bytes:
        """The next bytes of the body; none at its end."""
        response = await asyncio.shield(self._opening)
        self.so_far.status, self.so_far.headers = response.status, response.headers
        return await response.content.readany()


class Gateway:
    """One gateway, with a key or without.

    Args:
        base_url: Without `/v1`.
        patience: Seconds to wait for one thing that should come by itself.
    """

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, key: str | None, patience: float
    ) -> None:
        self.base_url = base_url
        self.key = key
        self.patience = patience
        self._session = session

    async def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Whole:
        """Ask and read the whole answer; a body that is not bytes is sent as JSON."""
        async with self._session.request(
            method, self.base_url + path, data=_encoded(body), headers=self._headers(key)
        ) as response:
            return Whole(response.status, response.headers, await response.read())

    async def chat(self, body: Any) -> Whole:
        """A plain chat."""
        return await self.ask("POST", CHAT_PATH, body)

    @asynccontextmanager
    async def stream(self, body: Any) -> AsyncIterator[Stream]:
        """A streamed chat; leaving before its end closes the connection."""
        # A gateway that holds a stream back sends not even its headers: nobody is to wait for them here.
        opening = asyncio.get_running_loop().create_task(self._open(body), name="a stream's request")
        try:
            yield Stream(opening, self.patience)
        finally:
            opening.cancel()
            await asyncio.wait([opening])
            if not opening.cancelled() and opening.exception() is None:
                opening.result().close()

    async def _open(self, body: Any) -> aiohttp.ClientResponse:
        return await self._session.post(
            self.base_url + CHAT_PATH, data=_encoded(body), headers=self._headers(None)
        )

    async def transcript(self, body: Any) -> Transcript:
        """A streamed chat, read to its end."""
        async with self.stream(body) as stream:
            return await stream.rest()

    def _headers(self, key: str | None) -> Mapping[str, str]:
        key = key or self.key
        accept = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        return accept | ({"Authorization": f"Bearer {key}"} if key else {})


def _encoded(body: Any) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    return json.dumps(body, ensure_ascii=False).encode()
