"""The settings that a turn's flow keeps, and what is made of them again."""

from typing import Any

import pytest

from werkzeugkoppler.config.kept import KEPT, kept, restored
from werkzeugkoppler.config.schema import Settings

KEYS: dict[str, Any] = {"service_api_key": "sk-1", "upstream_api_key": "sk-2"}


def test_they_are_plain_and_hold_no_key() -> None:
    told = kept(Settings(upstream_base_url="http://127.0.0.1:1", **KEYS))
    assert set(told) == set(KEPT)
    assert "sk-" not in str(told)
    assert {type(value) for value in told.values()} <= {str, int, dict}


def test_they_come_back_as_they_were() -> None:
    settings = Settings(upstream_base_url="demo", tool_trace="off", max_tool_loops=3, **KEYS)
    assert kept(restored(kept(settings))) == kept(settings)


def test_what_is_missing_has_its_default_and_what_is_unknown_is_passed_over() -> None:
    assert kept(restored({"of_another_version": 1})) == kept(Settings(upstream_base_url="demo"))


def test_a_value_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="max_tool_loops"):
        restored({"max_tool_loops": "many"})
