"""One proxy for each file of tests and one upstream for all, a fresh client for each test.

A file that needs other settings overrides the fixture `settings` (scope "module").
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from inspect import iscoroutinefunction
from typing import Any, Final

import aiohttp
import anyio
import pytest
from openai import AsyncOpenAI

from tests.e2e.client import TIMEOUT, Client
from tests.e2e.launch import SERVICE_KEY, Command
from tests.e2e.proxy import Proxy, complaints, running
from tests.fakes.lifelines import Lifelines
from tests.fakes.upstream import Upstream

TEST_SECONDS: Final = 40.0
"""A hang must end; the slowest test starts a proxy of its own and stops it again."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Bound every asynchronous test here in time."""
    if iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = _bounded(pyfuncitem.obj)
    return (yield)


def _bounded(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def run(*args: Any, **kwargs: Any) -> None:
        with anyio.fail_after(TEST_SECONDS):
            await test(*args, **kwargs)

    return run


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def shared_upstream() -> AsyncIterator[Upstream]:
    async with Upstream.serving() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    """The settings of this file's proxy besides its port, keys, upstream and trace folder."""
    return {}


@pytest.fixture(scope="module")
def command() -> Command:
    """How this file's proxy is started."""
    return Command()


@pytest.fixture(scope="module")
async def shared_proxy(
    shared_upstream: Upstream,
    settings: dict[str, Any],
    command: Command,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Proxy]:
    async with running(tmp_path_factory.mktemp("proxy"), shared_upstream.url, settings, command) as proxy:
        yield proxy


@pytest.fixture(scope="module")
async def lifelines() -> AsyncIterator[Lifelines]:
    """Programs that run until a test lets them go."""
    async with Lifelines.serving() as lifelines:
        yield lifelines


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Generator[Upstream]:
    """The upstream with nothing scripted; what a test scripts must be asked for."""
    shared_upstream.reset()
    yield shared_upstream
    assert not shared_upstream.unused


@pytest.fixture
def proxy(shared_proxy: Proxy, upstream: Upstream) -> Generator[Proxy]:
    """This file's proxy; a test during which something failed inside it fails as well."""
    before = len(shared_proxy.output)
    yield shared_proxy
    written = shared_proxy.output[before:]
    assert not complaints(written), written


@pytest.fixture
async def session(proxy: Proxy) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(proxy.url, timeout=TIMEOUT) as session:
        yield session


@pytest.fixture
def client(session: aiohttp.ClientSession) -> Client:
    """A client with the right key."""
    return Client(session, SERVICE_KEY)


@pytest.fixture
def stranger(session: aiohttp.ClientSession) -> Client:
    """A client without a key."""
    return Client(session)


@pytest.fixture
async def sdk(proxy: Proxy) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's own client, which retries nothing."""
    async with AsyncOpenAI(base_url=f"{proxy.url}/v1", api_key=SERVICE_KEY, max_retries=0) as sdk:
        yield sdk
