"""Run an MCP server as a child process, and carry messages over its stdin and stdout.

Not with the SDK's own transport: that one takes time with the square of a message's size, all of it on the
event loop, knows no bound for it, and leaves the process alive where its task is cancelled while it closes.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TextIO

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, ObjectReceiveStream, ObjectSendStream, Process
from mcp.client._transport import TransportStreams
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage

from werkzeugkoppler.config import tool_sections as config
from werkzeugkoppler.tools.mcp_servers.framing import Framing
from werkzeugkoppler.tools.process import end_group, led

FLUSH_SECONDS = 0.5
"""For what was sent last, such as word of a cancelled call, to reach the server."""

EXIT_SECONDS = 2.0
"""From the end of its stdin, which tells a server to end, to SIGTERM."""

TERM_SECONDS = 1.5
"""From SIGTERM to SIGKILL. With the others it stays below the time that the proxy takes to stop."""

WATCH_SECONDS = 0.25
"""How often it is looked whether a server has ended by itself."""

LAST_WORDS_SECONDS = 0.25
"""For what a server that has ended wrote last to arrive."""

POLL_SECONDS = 0.01
"""How often a process that was told to end is looked at."""

GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)
"""What a pipe or a stream raises whose other end is closed."""

type Incoming = SessionMessage | Exception


@asynccontextmanager
async def stdio_streams(
    settings: config.McpServer, errlog: TextIO, noise: Callable[[str], None]
) -> AsyncIterator[TransportStreams]:
    """The two streams of messages of a server that lives as long as the context.

    Its process group is dead afterwards, also where the closing is cancelled.

    Args:
        errlog: Its stderr.
        noise: Gets what it prints on stdout that is no message.

    Raises:
        OSError: It cannot be started.
        ValueError: An argument holds a NUL byte.
    """
    process = await anyio.open_process(
        [settings.command or "", *settings.args],
        env=get_default_environment() | settings.env,
        stderr=errlog,
        cwd=settings.cwd,
        start_new_session=True,
    )
    led(process.pid)
    assert process.stdin is not None and process.stdout is not None
    # Nothing is awaited from here to the `try`: the process would outlive a cancellation.
    to_session, read = anyio.create_memory_object_stream[Incoming](0)
    write, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    written = anyio.Event()
    async with anyio.create_task_group() as group:
        try:
            group.start_soon(_receive, process.stdout, to_session, noise)
            group.start_soon(_send, process.stdin, from_session, to_session, written)
            group.start_soon(_watch, process, to_session)
            yield read, write
        finally:
            read.close()
            write.close()
            with anyio.CancelScope(shield=True):
                await _end(process, written)
            group.cancel_scope.cancel()


async def _receive(
    stdout: ByteReceiveStream, to_session: ObjectSendStream[Incoming], noise: Callable[[str], None]
) -> None:
    framing = Framing()
    with suppress(*GONE):
        async with to_session:
            async for data in stdout:
                for found in framing.feed(data):
                    if isinstance(found, str):
                        noise(found)
                    else:
                        await to_session.send(found)
    # Nobody listens any more. A server that is stuck writing would not see the end of its stdin.
    with suppress(*GONE):
        async for _ in stdout:
            pass


async def _send(
    stdin: ByteSendStream,
    from_session: ObjectReceiveStream[SessionMessage],
    to_session: ObjectSendStream[Incoming],
    written: anyio.Event,
) -> None:
    try:
        async with from_session:
            async for message in from_session:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                await stdin.send(text.encode() + b"\n")
    except GONE:
        # The process may still run: the session is to see that the connection has ended.
        await to_session.aclose()
    finally:
        written.set()


async def _watch(process: Process, to_session: ObjectSendStream[Incoming]) -> None:
    """End the session once the process has ended: a child of it may hold its stdout open."""
    while process.returncode is None:  # noqa: ASYNC110 - `wait` waits for the pipes as well
        await anyio.sleep(WATCH_SECONDS)
    await anyio.sleep(LAST_WORDS_SECONDS)
    await to_session.aclose()


async def _end(process: Process, written: anyio.Event) -> None:
    """The specification's way to end a server: its stdin ends, then SIGTERM, then SIGKILL.

    https://modelcontextprotocol.io/specification/2025-11-25/basic/lifecycle#shutdown
    """
    assert process.stdin is not None
    try:
        with anyio.move_on_after(FLUSH_SECONDS):
            await written.wait()
        with suppress(*GONE):
            await process.stdin.aclose()
        with anyio.move_on_after(EXIT_SECONDS):
            # Not `wait`: that also waits for the pipes, which a grandchild may hold.
            while process.returncode is None:  # noqa: ASYNC110
                await anyio.sleep(POLL_SECONDS)
    finally:
        # The group: what the server started ends with it.
        try:
            await end_group(process.pid, TERM_SECONDS)
        finally:
            with suppress(*GONE):
                await process.aclose()
