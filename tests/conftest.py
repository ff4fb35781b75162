"""Fixtures that every test has."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The one event loop that mitmproxy runs on."""
    return "asyncio"
