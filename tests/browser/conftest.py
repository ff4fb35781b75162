"""A browser for each test, where this machine has one."""

import pytest

from tests.browser.chromium import installed
from tests.e2e.conftest import pytest_pyfunc_call, shared_upstream, upstream

__all__ = ["program", "pytest_pyfunc_call", "shared_upstream", "upstream"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def program() -> str:
    """The browser's path."""
    path = installed()
    if path is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    return path
