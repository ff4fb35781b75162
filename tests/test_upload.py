"""A body of unknown length is counted while it comes in, and refused as soon as it is too large."""

import json

import anyio
import pytest

from tests.endpoints.outlet import KeptOutlet
from werkzeugkoppler.endpoints.call import Outlet, Reply, Streamed
from werkzeugkoppler.errors import ApiError, Headers
from werkzeugkoppler.upload import Upload, write_reply

OURS = (("x-trace", "t1"),)
REPLY = Reply(201, (("a", "b"),), b"body")


def nothing(error: ApiError) -> None:
    """Nobody is to be told."""


async def answered(upload: Upload) -> KeptOutlet:
    outlet = KeptOutlet()
    with anyio.fail_after(5):
        await upload.write(outlet, OURS)
    return outlet


async def test_a_body_is_collected_and_not_handed_on() -> None:
    upload = Upload(10, nothing)
    assert [upload(piece) for piece in (b"12345", b"67890", b"")] == [[], [], []]
    assert (upload.body(), upload.is_open) == (b"1234567890", True)


async def test_a_body_that_is_too_large_is_refused_while_it_comes() -> None:
    upload = Upload(10, nothing)
    assert upload(b"x" * 11) == []
    assert not upload.is_open
    outlet = await answered(upload)
    assert (outlet.status, json.loads(outlet.body)["error"]["code"]) == (413, "request_too_large")
    assert outlet.headers[-1:] == OURS


async def test_what_follows_a_refusal_is_not_kept() -> None:
    upload = Upload(10, nothing)
    for _ in range(3):
        assert upload(b"x" * 11) == []
    assert upload.body() == b""


async def test_the_first_answer_stands() -> None:
    upload = Upload(10, nothing)
    upload.answer(REPLY)
    upload.answer(Reply(500, (), b"late"))
    outlet = await answered(upload)
    assert (outlet.status, outlet.body, outlet.headers) == (201, b"body", (("a", "b"), *OURS))


async def test_an_answer_is_written_once_it_is_known() -> None:
    upload = Upload(10, nothing)
    outlet = KeptOutlet()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(upload.write, outlet, OURS)
            await anyio.wait_all_tasks_blocked()
            assert not outlet.started
            upload.answer(REPLY)
    assert outlet.body == b"body"


@pytest.mark.parametrize("headers", [(), OURS])
async def test_a_streamed_answer_writes_itself(headers: Headers) -> None:
    async def write(outlet: Outlet, headers: Headers) -> None:
        outlet.start(200, headers)
        await outlet.write(b"streamed")
        outlet.end()

    outlet = KeptOutlet()
    await write_reply(Streamed(write), outlet, headers)
    assert (outlet.headers, outlet.body) == (headers, b"streamed")
