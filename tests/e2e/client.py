"""A client of the proxy that hides nothing of what came over the wire."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

import aiohttp
from multidict import CIMultiDictProxy

CHAT_PATH: Final = "/v1/chat/completions"
TIMEOUT: Final = aiohttp.ClientTimeout(total=25)
"""Below the bound of a test, so that the test says where it hung."""


@dataclass(frozen=True)
class Answer:
    """A response, read whole."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error object; fails where the answer is not one in OpenAI's shape."""
        error: dict[str, Any] = self.json["error"]
        assert isinstance(error["message"], str) and isinstance(error["type"], str) and "code" in error
        return error


@dataclass
class Transcript:
    """What a streamed chat came to, as a client that adds up deltas sees it."""

    chunks: list[dict[str, Any]] = field(default_factory=list)
    """The JSON events in order, usage chunks and errors among them."""
    comments: int = 0
    done: int = 0
    """How many `[DONE]` came."""

    def add(self, event: bytes) -> None:
        """Take in one event, without the blank line that ends it."""
        if event.startswith(b":"):
            self.comments += 1
        elif event == b"data: [DONE]":
            self.done += 1
        else:
            assert event.startswith(b"data: "), event
            assert not self.done, f"after [DONE] came {event!r}"
            self.chunks.append(json.loads(event.removeprefix(b"data: ")))

    @property
    def deltas(self) -> list[dict[str, Any]]:
        return [choice["delta"] for chunk in self.chunks for choice in chunk.get("choices", ())]

    def joined(self, key: str) -> str:
        """The text of one key of the deltas, put together."""
        return "".join(delta.get(key) or "" for delta in self.deltas)

    @property
    def text(self) -> str:
        return self.joined("content")

    @property
    def roles(self) -> list[str]:
        return [delta["role"] for delta in self.deltas if "role" in delta]

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        """The tool call deltas as they came."""
        return [call for delta in self.deltas for call in delta.get("tool_calls") or ()]

    @property
    def finishes(self) -> list[str]:
        reasons = [choice["finish_reason"] for chunk in self.chunks for choice in chunk.get("choices", ())]
        return [reason for reason in reasons if reason is not None]

    @property
    def usages(self) -> list[dict[str, Any]]:
        return [chunk["usage"] for chunk in self.chunks if chunk.get("usage")]

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [chunk["error"] for chunk in self.chunks if "error" in chunk]

    def heads(self, key: str) -> set[Any]:
        """The different values of a top-level key over all chunks that are no errors."""
        return {chunk.get(key) for chunk in self.chunks if "error" not in chunk}


@dataclass(frozen=True)
class Stream:
    """A response that is still coming."""

    response: aiohttp.ClientResponse

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        return self.response.headers

    async def event(self) -> bytes:
        """The next event or comment without its blank line; empty at the end."""
        lines = b""
        while line := await self.response.content.readline():
            if line == b"\n":
                return lines.removesuffix(b"\n")
            lines += line
        assert not lines, f"the stream ended within {lines!r}"
        return b""

    async def chunk(self) -> dict[str, Any]:
        """The next JSON event; comments are passed over."""
        while (event := await self.event()).startswith(b":"):
            pass
        return dict(json.loads(event.removeprefix(b"data: ")))

    async def until(self, text: str) -> Transcript:
        """Read until the content of the chunks read here is the text."""
        transcript = Transcript()
        while transcript.text != text:
            event = await self.event()
            assert event, f"the stream ended with {transcript.text!r}"
            transcript.add(event)
        return transcript

    async def rest(self) -> Transcript:
        """Read to the end."""
        transcript = Transcript()
        while event := await self.event():
            transcript.add(event)
        return transcript


class Client:
    """Requests to one proxy, with a key or without."""

    def __init__(self, session: aiohttp.ClientSession, key: str | None = None) -> None:
        self.session = session
        self._auth = {} if key is None else {"Authorization": f"Bearer {key}"}

    async def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Ask and read the whole answer; a body that is not bytes is sent as JSON."""
        async with self.open(method, path, body, headers) as stream:
            return Answer(stream.status, stream.headers, await stream.response.read())

    @asynccontextmanager
    async def open(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> AsyncIterator[Stream]:
        """Ask, and read the answer as it comes; leaving before its end closes the connection."""
        data = json.dumps(body).encode() if isinstance(body, dict | list) else body
        data = BytesIO(data) if isinstance(data, bytes) else data  # aiohttp warns of long bytes
        all_headers = {"Content-Type": "application/json"} | self._auth | (headers or {})
        async with self.session.request(method, path, data=data, headers=all_headers) as response:
            yield Stream(response)

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return await self.send("GET", path, None, headers)

    async def chat(self, text: str = "Hello?", **fields: Any) -> Answer:
        """A chat that is read whole."""
        return await self.send("POST", CHAT_PATH, question(text, **fields))

    @asynccontextmanager
    async def streamed(self, text: str = "Hello?", **fields: Any) -> AsyncIterator[Stream]:
        """A streamed chat."""
        async with self.open("POST", CHAT_PATH, question(text, stream=True, **fields)) as stream:
            yield stream

    async def transcript(self, text: str = "Hello?", **fields: Any) -> Transcript:
        """A streamed chat, read to its end."""
        async with self.streamed(text, **fields) as stream:
            assert stream.status == 200, await stream.response.read()
            return await stream.rest()


def question(text: str = "Hello?", **fields: Any) -> dict[str, Any]:
    """A chat request with one user message."""
    return {"model": "fake-model", "messages": [{"role": "user", "content": text}]} | fields
