"""The examples that ship are configs that work, and the full one holds every key."""

from pathlib import Path

import pytest
import yaml

from werkzeugkoppler.config.keys import every_key
from werkzeugkoppler.config.load import load
from werkzeugkoppler.config.schema import Settings

ROOT = Path(__file__).parents[2]
NOT_A_DEFAULT = {
    "upstream_base_url",
    "init_messages",
    "last_user_message_readers",
    "mcp_servers",
    "actions",
    "detectors",
}
"""Top-level keys that show something instead."""


def written(example: str) -> set[tuple[str, ...]]:
    """The paths of the keys in an example, without the positions in lists."""

    def paths(value: object, path: tuple[str, ...]) -> set[tuple[str, ...]]:
        if isinstance(value, list):
            return set().union(*(paths(item, path) for item in value))
        if not isinstance(value, dict):
            return set()
        return set().union(*({(*path, k)} | paths(v, (*path, k)) for k, v in value.items()))

    return paths(yaml.safe_load((ROOT / example).read_text(encoding="utf-8")), ())


@pytest.mark.contract("WK-155")
@pytest.mark.parametrize("example", ["config.yaml.min_example", "config.yaml.full_example"])
def test_an_example_is_a_config_that_works(example: str) -> None:
    load(str(ROOT / example), {})


@pytest.mark.contract("WK-155")
def test_the_full_example_holds_every_key() -> None:
    missing = set(map(tuple, every_key())) - written("config.yaml.full_example")
    assert not missing


@pytest.mark.contract("WK-155")
def test_the_full_example_shows_the_defaults() -> None:
    shown = load(str(ROOT / "config.yaml.full_example"), {})
    default = Settings(upstream_base_url="demo")
    kept = set(Settings.model_fields) - NOT_A_DEFAULT
    assert {key: getattr(shown, key) for key in kept} == {key: getattr(default, key) for key in kept}


@pytest.mark.contract("WK-155")
def test_the_systemd_unit_starts_what_there_is() -> None:
    unit = (ROOT / "docs" / "werkzeugkoppler.service").read_text(encoding="utf-8")
    assert "ExecStart=/opt/werkzeugkoppler/run.sh --config" in unit and (ROOT / "run.sh").exists()
