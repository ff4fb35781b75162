"""A model server on a usual port is found, and nothing else is taken for one."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import anyio
import pytest

from tests.fakes.answers import Answer, Hang, Json, Raw
from tests.fakes.upstream import Upstream
from werkzeugkoppler.upstreams import detect as detect_module
from werkzeugkoppler.upstreams.detect import CANDIDATES, Candidate, detect


@pytest.fixture
async def servers() -> AsyncIterator[list[Upstream]]:
    """Two servers that list their models."""
    with anyio.fail_after(5):
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(Upstream.serving()) for _ in range(2)]


def candidate(name: str, server: Upstream) -> Candidate:
    return Candidate(name, int(server.url.rpartition(":")[2]))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_the_usual_ports_are_tried() -> None:
    assert [(c.name, c.port) for c in CANDIDATES] == [
        ("Ollama", 11434),
        ("LM Studio", 1234),
        ("llama.cpp", 8080),
        ("vLLM", 8000),
    ]
    assert CANDIDATES[0].base_url == "http://127.0.0.1:11434"


async def test_the_first_that_answers_is_taken(servers: list[Upstream]) -> None:
    first, second = (candidate(name, server) for name, server in zip("ab", servers, strict=True))
    assert await detect((first, second)) == first
    assert await detect((second, first)) == second


async def test_a_port_that_nobody_listens_on_is_passed_over(servers: list[Upstream]) -> None:
    there = candidate("there", servers[0])
    assert await detect((Candidate("gone", free_port()), there)) == there


@pytest.mark.parametrize(
    "answer",
    [
        Json({"data": []}, status=500),
        Json({"data": "odd"}),
        Json([]),
        Raw(200, (("content-type", "text/html"),), b"<html>"),
        Json({"data": []}, headers=(("X-Werkzeugkoppler-Trace-Id", "t1"),)),
    ],
    ids=["an error", "no list", "no object", "a page", "this program"],
)
async def test_what_lists_no_models_is_passed_over(servers: list[Upstream], answer: Answer) -> None:
    odd, good = (candidate(name, server) for name, server in zip("ab", servers, strict=True))
    servers[0].models = answer
    assert await detect((odd, good)) == good


async def test_what_does_not_answer_is_passed_over(
    servers: list[Upstream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect_module, "PROBE_SECONDS", 0.2)
    servers[0].models = Hang()
    silent, good = (candidate(name, server) for name, server in zip("ab", servers, strict=True))
    assert await detect((silent, good)) == good


async def test_where_there_is_none_none_is_found() -> None:
    assert await detect(()) is None
    assert await detect((Candidate("gone", free_port()),)) is None
