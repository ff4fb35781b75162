"""A driver for each client, before the proxy and the upstream of the end-to-end tests."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.driver import Driver, driving
from tests.clients.environments import Client, NotInstalled, installed, missing
from tests.clients.table import CLIENTS
from tests.conftest import REQUIRE_CLIENTS
from tests.e2e.conftest import (
    anyio_backend,
    command,
    proxy,
    pytest_pyfunc_call,
    shared_proxy,
    shared_upstream,
    upstream,
)
from tests.e2e.declared import HELLO
from tests.e2e.launch import SERVICE_KEY
from tests.e2e.proxy import Proxy

__all__ = [
    "anyio_backend",
    "command",
    "proxy",
    "pytest_pyfunc_call",
    "shared_proxy",
    "shared_upstream",
    "upstream",
]


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return {"actions": [HELLO]}


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda client: client.name)
def other(request: pytest.FixtureRequest) -> Client:
    """A client of the table."""
    client: Client = request.param
    return client


@pytest.fixture(scope="module")
def environment(other: Client, pytestconfig: pytest.Config) -> Path:
    """The folder that the client is installed in; its tests are skipped where it cannot be.

    With `--require-clients` only a machine without the program that runs it is a reason to skip.
    """
    if programs := missing(other):
        pytest.skip(f"{other.name} needs {' and '.join(programs)}")
    try:
        return installed(other)
    except NotInstalled as error:
        report = pytest.fail if pytestconfig.getoption(REQUIRE_CLIENTS) else pytest.skip
        report(f"{other.name} cannot be installed: {error}")


@pytest.fixture(scope="module")
async def driver(
    other: Client,
    environment: Path,
    shared_proxy: Proxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Driver]:
    """The client, pointed at the proxy by the variables that the README names."""
    variables = {"OPENAI_BASE_URL": f"{shared_proxy.url}/v1", "OPENAI_API_KEY": SERVICE_KEY}
    folder = tmp_path_factory.mktemp(other.name)
    async with driving(folder, other.running(environment), {**variables, **other.variables}) as driver:
        yield driver
