"""A scripted model server on a real socket: it records what it is asked and answers what it was told to.

Each connection is one task. While an answer is under way a second task watches for the peer's leaving,
which ends the answer and is noted on the request, so that a test can wait for it. Nothing here sleeps:
an answer goes on when a gate that the test holds is set.
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import anyio
from anyio.abc import SocketAttribute, SocketStream

from tests.fakes.answers import Answer, Json
from tests.fakes.chunks import MODEL
from tests.fakes.http1 import GONE, Connection, Recorded

CHAT_PATH = "/v1/chat/completions"
MODELS = {
    "object": "list",
    "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "the fake", "vendor": {"n": 1.0}}],
}
UNSCRIPTED = Json({"error": {"message": "no answer is scripted", "type": "test", "code": "unscripted"}}, 418)


class Upstream:
    """An OpenAI-compatible server under a test's control, under any path before `/v1`.

    `requests` holds every request, oldest first; `models` is what `GET /v1/models` answers.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Recorded] = []
        self.models: Answer = Json(MODELS)
        self._script: deque[Answer] = deque()
        self._for_model: dict[str, deque[Answer]] = {}
        self._arrived = anyio.Event()

    @classmethod
    @asynccontextmanager
    async def serving(cls, port: int = 0) -> AsyncIterator[Self]:
        """Listen on 127.0.0.1, on a free port where none is given; leaving ends every connection."""
        upstream = cls()
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
        upstream.url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        async with listener, anyio.create_task_group() as connections:
            connections.start_soon(listener.serve, upstream._serve)
            yield upstream
            connections.cancel_scope.cancel()

    def script(self, *answers: Answer) -> None:
        """Queue answers: the first is for the next chat request."""
        self._script.extend(answers)

    def script_for(self, model: str, *answers: Answer) -> None:
        """Queue answers for the requests to one model: chats that run side by side each have their own."""
        self._for_model.setdefault(model, deque()).extend(answers)

    @property
    def unused(self) -> list[Answer]:
        """The scripted answers that nobody has asked for yet."""
        return [answer for script in (self._script, *self._for_model.values()) for answer in script]

    @property
    def chats(self) -> list[Recorded]:
        """The chat requests, oldest first."""
        return [request for request in self.requests if request.path.endswith(CHAT_PATH)]

    async def chat(self, number: int = 1) -> Recorded:
        """Wait for a chat request, the first or the one of that number."""
        while len(self.chats) < number:
            await self._arrived.wait()
        return self.chats[number - 1]

    def reset(self) -> None:
        """Forget the script and the requests; connections that are kept alive stay."""
        self.requests.clear()
        self._script.clear()
        self._for_model.clear()
        self.models = Json(MODELS)

    async def _serve(self, stream: SocketStream) -> None:
        async with stream:
            connection = Connection(stream)
            seen: list[Recorded] = []
            try:
                while True:
                    request = await connection.request()
                    seen.append(request)
                    await self._answer(connection, request)
            except GONE:
                for request in seen:
                    request.closed.set()

    async def _answer(self, connection: Connection, request: Recorded) -> None:
        self.requests.append(request)
        self._arrived.set()
        self._arrived = anyio.Event()
        answer = self._next(request)
        async with anyio.create_task_group() as both:

            async def watch() -> None:
                await connection.gone()
                request.closed.set()
                both.cancel_scope.cancel()

            both.start_soon(watch)
            try:
                await answer.send(connection, request)
            except GONE:
                request.closed.set()
            both.cancel_scope.cancel()

    def _next(self, request: Recorded) -> Answer:
        if request.path.endswith(CHAT_PATH):
            script = self._script if not self._for_model else self._for_model.get(request.json["model"])
            return script.popleft() if script else UNSCRIPTED
        return self.models if request.path.endswith("/v1/models") else Json({}, 404)
