"""What tells two configurations apart."""

from pathlib import Path

from tests.config.files import UPSTREAM, loaded
from werkzeugkoppler.config.change import changed_keys


def test_the_keys_that_differ_are_named_in_the_schemas_order(tmp_path: Path) -> None:
    old = loaded(tmp_path, UPSTREAM + "max_tool_loops: 3\n")
    action = "actions: [{name: a, description: b, command: c}]\n"
    new = loaded(tmp_path, UPSTREAM + "logging: {level: debug}\n" + action)
    assert changed_keys(old, new) == ["max_tool_loops", "actions", "logging"]


def test_what_says_the_same_in_other_words_is_no_change(tmp_path: Path) -> None:
    old = loaded(tmp_path, UPSTREAM + "max_tool_loops: 8\n")
    new = loaded(tmp_path, f"# words\n{UPSTREAM}actions:\nlogging: {{level: info}}\n")
    assert changed_keys(old, new) == []
