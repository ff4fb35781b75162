"""Fixtures and options that every test has."""

import pytest
from hypothesis import HealthCheck, settings

RUN_SLOW = "--slow"
REQUIRE_CLIENTS = "--require-clients"


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the command line takes besides pytest's own."""
    parser.addoption(RUN_SLOW, action="store_true", help="also the slow tests")
    parser.addoption(
        REQUIRE_CLIENTS,
        action="store_true",
        help="fail, instead of skipping, where a client of tests/clients cannot be installed",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The same few examples in every run; with `--slow` many, and others each time."""
    common = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("usual", common, max_examples=40, derandomize=True)
    settings.register_profile("slow", common, max_examples=300)
    settings.load_profile("slow" if config.getoption(RUN_SLOW) else "usual")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is marked as slow unless it was asked for."""
    if config.getoption(RUN_SLOW):
        return
    skip = pytest.mark.skip(reason=f"slow: runs with {RUN_SLOW}")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(skip)


@pytest.fixture
def anyio_backend() -> str:
    """The one event loop that mitmproxy runs on."""
    return "asyncio"
