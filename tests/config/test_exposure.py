"""What is said at the start about who else can use the service."""

import pytest

from werkzeugkoppler.config.exposure import warnings
from werkzeugkoppler.config.schema import Settings

OPEN = {"allow_unauthenticated": True}
KEY = {"service_api_key": "key"}
ANYONE_HERE = "no service_api_key is set: anyone on this machine can use {}"
ANYONE = "allow_unauthenticated is on: anyone who reaches {} can use it, its tools included"
EVERY_ADDRESS = (
    "service_base_url listens on every address of this machine ({}):"
    " whoever reaches one of them reaches the service"
)


def said(host: str, **others: object) -> list[str]:
    values = {"service_base_url": f"http://{host}:1", "upstream_base_url": "demo"} | others
    return warnings(Settings.model_validate(values))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_without_a_key_everyone_on_the_machine_can_use_it(host: str) -> None:
    assert said(host) == said(host, **OPEN) == [ANYONE_HERE.format(f"http://{host}:1")]
    assert said(host, **KEY) == []


def test_an_address_that_others_reach_without_a_key_is_warned_of() -> None:
    assert said("example.org", **OPEN) == [ANYONE.format("http://example.org:1")]
    assert said("example.org", **KEY) == said("example.org", **KEY, **OPEN) == []


@pytest.mark.parametrize("host, shown", [("0.0.0.0", "0.0.0.0"), ("[::]", "::")])
def test_listening_on_every_address_is_warned_of_also_with_a_key(host: str, shown: str) -> None:
    assert said(host, **KEY) == [EVERY_ADDRESS.format(shown)]
    assert said(host, **OPEN) == [ANYONE.format(f"http://{host}:1"), EVERY_ADDRESS.format(shown)]
