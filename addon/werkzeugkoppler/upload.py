"""A request body of unknown length, counted while it comes in."""

import asyncio
from collections.abc import Callable

from werkzeugkoppler.endpoints.call import Outlet, Reply, Streamed, error_reply
from werkzeugkoppler.errors import ApiError, Headers
from werkzeugkoppler.gate.limits import check_size


class Upload:
    """Collects a streamed request body, and holds the answer's place until it is known.

    mitmproxy would buffer a body without a length whatever its size. As the flow's `request.stream`
    this takes the pieces instead, hands none on, and answers 413 as soon as there are too many.

    Args:
        limit: Bytes.
        note_refusal: Is told of that.
    """

    def __init__(self, limit: int, note_refusal: Callable[[ApiError], None]) -> None:
        self._limit = limit
        self._note_refusal = note_refusal
        self._pieces: list[bytes] = []
        self._size = 0
        self._reply: asyncio.Future[Reply | Streamed] = asyncio.get_running_loop().create_future()

    def __call__(self, data: bytes) -> list[bytes]:
        """Take a piece; mitmproxy's side of it (`http.Message.stream`)."""
        self._size += len(data)
        if self.is_open:
            self._pieces.append(data)
            try:
                check_size(self._size, self._limit)
            except ApiError as error:
                self._pieces.clear()
                self._note_refusal(error)
                self.answer(error_reply(error))
        return []

    @property
    def is_open(self) -> bool:
        """No answer is known yet."""
        return not self._reply.done()

    def body(self) -> bytes:
        """What has come."""
        return b"".join(self._pieces)

    def answer(self, reply: Reply | Streamed) -> None:
        if self.is_open:
            self._reply.set_result(reply)

    async def write(self, outlet: Outlet, headers: Headers) -> None:
        """Write the answer, once it is known."""
        await write_reply(await self._reply, outlet, headers)


async def write_reply(reply: Reply | Streamed, outlet: Outlet, headers: Headers) -> None:
    """Write either kind of answer."""
    if isinstance(reply, Streamed):
        await reply.write(outlet, headers)
    else:
        outlet.reply(reply.status, (*reply.headers, *headers), reply.body)
