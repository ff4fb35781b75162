"""What comes when: text at once, a sign of life in silence, no stream that holds up another."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import aiohttp
from anyio import create_task_group, current_time, move_on_after

from werkzeugkoppler.doctor.probe import judges
from werkzeugkoppler.doctor.probe.lab import Lab
from werkzeugkoppler.doctor.probe.script import said, says
from werkzeugkoppler.doctor.probe.scripted import Asked, Reply, Scenario
from werkzeugkoppler.doctor.probe.verdict import AnyExperiment, Fault, Skip, single

CANCEL_SECONDS = 1.0
"""Within that a client's leaving has to reach the upstream."""


@contextmanager
def _gate() -> Iterator[asyncio.Event]:
    """A gate that is open at the end, whatever happens."""
    gate = asyncio.Event()
    try:
        yield gate
    finally:
        gate.set()


async def _first_delta(lab: Lab) -> bool:
    with _gate() as gate, lab.scene(says("One ", gate, "two.")) as scene:
        async with lab.gateway.stream(lab.stream(scene)) as stream:
            seen = await stream.until(lambda so_far: "One" in so_far.text)
            gate.set()
            judges.accepted(await stream.rest())
            return seen


def _came(seen: bool) -> str:
    if not seen:
        raise Fault("nothing came before the upstream had ended")
    return "the first delta came while the upstream held the second back"


async def _silent_before(lab: Lab) -> float | None:
    """Seconds until anything came while the upstream had not answered at all."""
    with _gate() as gate:
        with lab.scene(lambda asked: _held(asked, gate)) as scene:
            return await _sign_of_life(lab, lab.stream(scene))


def _held(asked: Asked, gate: asyncio.Event) -> Reply:
    reply = said(asked, "Hello.")
    return Reply(reply.pieces, reply.status, reply.headers, gate=gate)


async def _sign_of_life(lab: Lab, body: object) -> float | None:
    began = current_time()
    with move_on_after(lab.patience):
        async with lab.gateway.stream(body) as stream:
            if await stream.until(lambda so_far: so_far.raw):
                return current_time() - began
    return None


async def _silent_within(lab: Lab) -> float | None:
    with _gate() as gate, lab.scene(says("One ", gate, "two.")) as scene:
        async with lab.gateway.stream(lab.stream(scene)) as stream:
            if not await stream.until(lambda so_far: "One" in so_far.text):
                raise Skip("nothing came before the upstream had ended")
            began, size = current_time(), len(stream.so_far.raw)
            if await stream.until(lambda so_far: len(so_far.raw) > size):
                return current_time() - began
            return None


def _not_silent(seconds: float | None) -> str:
    if seconds is None:
        raise Fault("nothing came, not even a comment")
    return f"a sign of life after {seconds:.1f} s"


async def _side_by_side(lab: Lab) -> float | None:
    """Seconds that a chat takes while a stream is held up."""
    with (
        _gate() as gate,
        lab.scene(says("One ", gate, "two.")) as slow,
        lab.scene(says("Hello.")) as fast,
    ):
        async with lab.gateway.stream(lab.stream(slow)) as stream:
            # Not until its text has come: a gateway that holds text back may be fast all the same.
            await slow.arrived(lab.patience)
            began, answered = current_time(), None
            with move_on_after(lab.patience):
                judges.is_completion(await lab.gateway.chat(lab.ask(fast)))
                answered = current_time() - began
            gate.set()
            await stream.rest()
            return answered


def _not_held_up(seconds: float | None) -> str:
    if seconds is None:
        raise Fault("it had to wait for the stream")
    return f"answered after {seconds:.2f} s, beside a stream"


async def _left_stream(lab: Lab) -> float | None:
    with _gate() as gate, lab.scene(says("One ", gate, "two.")) as scene:
        async with lab.gateway.stream(lab.stream(scene)) as stream:
            await stream.until(lambda so_far: "One" in so_far.text)
        return await _seconds_until_closed(lab, await scene.arrived(lab.patience))


async def _left_plain(lab: Lab) -> float | None:
    with _gate() as gate, lab.scene(lambda asked: _held(asked, gate)) as scene:
        asked = await _leave(lab, scene, partial(lab.gateway.chat, lab.ask(scene)))
        return await _seconds_until_closed(lab, asked)


async def _left_before(lab: Lab) -> float | None:
    """Leave a stream that has brought nothing yet."""
    with _gate() as gate, lab.scene(lambda asked: _held(asked, gate)) as scene:
        asked = await _leave(lab, scene, partial(lab.gateway.transcript, lab.stream(scene)))
        return await _seconds_until_closed(lab, asked)


async def _leave(lab: Lab, scene: Scenario, send: Callable[[], Awaitable[object]]) -> Asked | None:
    """Send a request, and give it up as soon as it has arrived at the upstream."""

    async def client() -> None:
        with suppress(aiohttp.ClientError, OSError):
            await send()

    async with create_task_group() as group:
        group.start_soon(client)
        asked = await scene.arrived(lab.patience)
        group.cancel_scope.cancel()
    return asked


async def _seconds_until_closed(lab: Lab, asked: Asked | None) -> float | None:
    if asked is None:
        raise Fault("the upstream was not asked")
    began = current_time()
    with move_on_after(lab.patience):
        await asked.closed.wait()
        return current_time() - began
    return None


def _closed(seconds: float | None) -> str:
    if seconds is None:
        raise Fault("the upstream's connection stayed open")
    if seconds > CANCEL_SECONDS:
        raise Fault(f"the upstream's connection closed only after {seconds:.1f} s")
    return f"the upstream's connection closed after {seconds:.2f} s"


SCRIPTED: tuple[AnyExperiment, ...] = (
    single("a stream comes as it is written", "WK-125", _first_delta, _came),
    single("a sign of life before the answer", "WK-127", _silent_before, _not_silent),
    single("a sign of life within the answer", "WK-127", _silent_within, _not_silent),
    single("a slow stream holds nobody up", "WK-153", _side_by_side, _not_held_up),
    single("leaving a stream ends it at the upstream", "BX-05", _left_stream, _closed),
    single("leaving a stream before it begins", "BX-05", _left_before, _closed),
    single("leaving a plain chat", "BX-05", _left_plain, _closed),
)
