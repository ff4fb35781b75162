"""What can happen to an answer on its way: the faults that a network, a proxy or a server may make.

`Faulty(answer, fault)` lets another answer write itself, whole and without gates, and has the fault send
what was written, over the real connection.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, Self

import anyio
from anyio.lowlevel import checkpoint
from mitmproxy.net import encoding

from tests.fakes.answers import Answer
from tests.fakes.http1 import Connection, Pairs, Recorded


@dataclass(frozen=True)
class Written:
    """An answer that was written and not sent yet."""

    head: bytes
    """The status line and the headers, without the blank line."""
    chunks: tuple[bytes, ...]
    """The body in the pieces in which it was written."""
    is_chunked: bool

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Take an answer apart that `Connection` wrote."""
        head, _, rest = data.partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" not in head:
            return cls(head, (rest,), False)
        chunks: list[bytes] = []
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            chunks.append(rest[: int(size, 16)])
            rest = rest[int(size, 16) + 2 :]
        return cls(head, tuple(chunk for chunk in chunks if chunk), True)

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def data(self) -> bytes:
        """All bytes, in the framing that the head tells."""
        chunks = [*self.chunks, b""] if self.is_chunked else []
        framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        return self.head + b"\r\n\r\n" + (framed if self.is_chunked else self.body)

    def with_headers(self, *lines: bytes) -> Self:
        return replace(self, head=b"\r\n".join([self.head, *lines]))

    def unframed(self) -> Self:
        """Without a header that says how long the body is."""
        lines = self.head.split(b"\r\n")
        kept = [line for line in lines if not line.startswith((b"content-length:", b"transfer-encoding:"))]
        return replace(self, head=b"\r\n".join(kept), is_chunked=False)

    def with_length(self, difference: int = 0) -> Self:
        """With a length that is told, and wrong by so many bytes."""
        return self.unframed().with_headers(b"content-length: %d" % (len(self.body) + difference))


class Fault(Protocol):
    """Something that happens to an answer."""

    async def play(self, connection: Connection, written: Written) -> None: ...


@dataclass(frozen=True)
class Faulty:
    """An answer, and what happens to it."""

    answer: Answer
    fault: Fault

    async def send(self, connection: Connection, request: Recorded) -> None:
        paper = _Paper()
        await self.answer.send(paper, request)
        await self.fault.play(connection, Written.read(bytes(paper.data)))


class _Paper(Connection):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def send(self, data: bytes) -> None:
        self.data += data


type Place = int | float | bytes
"""Where in the bytes of an answer: an offset, a part of the whole, or behind the first such bytes."""


def offset(place: Place, data: bytes) -> int:
    match place:
        case bytes():
            at = data.find(place)
            return len(data) if at < 0 else at + len(place)
        case float():
            return round(place * len(data))
        case _:
            return place


# What the network does


@dataclass(frozen=True)
class Split:
    """The answer comes in packets that end at these offsets; none: at every byte."""

    places: Sequence[Place] = ()

    async def play(self, connection: Connection, written: Written) -> None:
        data = written.data()
        ends = sorted(offset(place, data) for place in self.places) or range(1, len(data))
        for start, end in zip([0, *ends], [*ends, len(data)], strict=True):
            await connection.send(data[start:end])
            await checkpoint()


@dataclass(frozen=True)
class Stall:
    """Nothing more comes from a place on, until a test opens the gate."""

    place: Place
    gate: anyio.Event = field(default_factory=anyio.Event)

    async def play(self, connection: Connection, written: Written) -> None:
        data = written.data()
        at = offset(self.place, data)
        await connection.send(data[:at])
        await self.gate.wait()
        await connection.send(data[at:])


@dataclass(frozen=True)
class Drop:
    """The connection ends at a place, as when a server's process ends."""

    place: Place

    async def play(self, connection: Connection, written: Written) -> None:
        data = written.data()
        await connection.send(data[: offset(self.place, data)])
        await connection.close()


@dataclass(frozen=True)
class Reset:
    """The connection is reset at a place: what is still on its way may be lost too."""

    place: Place

    async def play(self, connection: Connection, written: Written) -> None:
        data = written.data()
        await connection.send(data[: offset(self.place, data)])
        await connection.reset()


# What servers and the proxies before them write


@dataclass(frozen=True)
class Rewritten:
    """The answer is another one than was meant.

    Args:
        rewrite: Gives what is sent: an answer, or its very bytes.
        ends: The connection ends behind it.
    """

    rewrite: Callable[[Written], Written | bytes]
    ends: bool = False

    async def play(self, connection: Connection, written: Written) -> None:
        sent = self.rewrite(written)
        await connection.send(sent.data() if isinstance(sent, Written) else sent)
        if self.ends:
            await connection.close()


ENCODINGS: Final = ("gzip", "deflate", "br", "zstd")


def encoded(name: str) -> Rewritten:
    """The body is compressed, though nobody asked for that."""

    def rewrite(written: Written) -> Written:
        body = encoding.encode(written.body, name)
        assert isinstance(body, bytes)
        compressed = replace(written, chunks=(body,)).with_length()
        return compressed.with_headers(f"content-encoding: {name}".encode())

    return Rewritten(rewrite)


def length_wrong_by(difference: int, *, ends: bool = False) -> Rewritten:
    """The length is told and wrong."""
    return Rewritten(lambda written: written.with_length(difference), ends)


def close_delimited(version: bytes = b"1.1") -> Rewritten:
    """No length is told: the body ends with the connection."""

    def rewrite(written: Written) -> Written:
        bare = written.unframed()
        return replace(bare, head=bare.head.replace(b"HTTP/1.1", b"HTTP/" + version, 1))

    return Rewritten(rewrite, ends=True)


def flooded(*lines: bytes) -> Rewritten:
    """Header lines that nobody needs."""
    return Rewritten(lambda written: written.with_headers(*lines))


def informed(*heads: bytes) -> Rewritten:
    """Informational responses come first, such as `103 Early Hints`."""
    before = b"".join(b"HTTP/1.1 " + head + b"\r\n\r\n" for head in heads)
    return Rewritten(lambda written: before + written.data())


def repeated(number: int) -> Rewritten:
    """One piece of the body comes twice; counted from the end below 0."""

    def rewrite(written: Written) -> Written:
        chunks = list(written.chunks)
        at = number % len(chunks)
        return replace(written, chunks=(*chunks[:at], chunks[at], *chunks[at:]))

    return Rewritten(rewrite)


def misframed(frame: Callable[[bytes], bytes]) -> Rewritten:
    """The last chunk of a chunked body is framed wrongly."""

    def rewrite(written: Written) -> bytes:
        head = written.unframed().with_headers(b"transfer-encoding: chunked").head
        *before, last = written.chunks if len(written.chunks) > 1 else (written.body[:9], written.body[9:])
        good = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in before)
        return head + b"\r\n\r\n" + good + frame(last)

    return Rewritten(rewrite, ends=True)


@dataclass(frozen=True)
class Endless:
    """An answer whose body never ends, until the connection does.

    Args:
        begin: What comes first.
        piece: What comes again and again.
    """

    begin: bytes
    piece: bytes
    headers: Pairs = (("content-type", "text/event-stream"),)

    async def send(self, connection: Connection, request: Any) -> None:
        await connection.start(200, self.headers)
        await connection.send(self.begin)
        while True:
            await connection.send(self.piece)
