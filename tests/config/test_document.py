"""YAML as values with places, and what no file may hold."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from werkzeugkoppler.config.document import read
from werkzeugkoppler.config.problem import Place
from werkzeugkoppler.errors import ConfigError

QUOTING = "check the indentation, and put text with any of : # { [ * & ! @ % in it into quotes"


def found(content: str) -> list[tuple[int, int, str]]:
    return [
        (problem.place.line, problem.place.column, problem.text)
        for problem in read("c.yaml", content.encode()).problems
        if problem.place is not None
    ]


def refusal(content: bytes) -> str:
    with pytest.raises(ConfigError) as refused:
        read("c.yaml", content)
    (line,) = refused.value.problems
    return line


@pytest.mark.parametrize("content", ["", "# nothing but this\n", "---\n", "null\n", "{}"])
def test_a_file_without_keys_is_empty(content: str) -> None:
    assert read("c.yaml", content.encode()).values == {}


def test_every_kind_of_value_is_what_yaml_says() -> None:
    content = "a: [1, 1.5, true, off, null, ~, 'x', 0x10]\nb: {c: {}, d: []}\ne: |\n  two\n  lines\n"
    assert read("c.yaml", content.encode()).values == {
        "a": [1, 1.5, True, False, None, None, "x", 16],
        "b": {"c": {}, "d": []},
        "e": "two\nlines\n",
    }


def test_keys_are_text_whatever_they_look_like() -> None:
    assert read("c.yaml", b"env: {ON: a, 1: b, ~: c, 2024-01-01: d}").values == {
        "env": {"ON": "a", "1": "b", "~": "c", "2024-01-01": "d"}
    }


def test_what_looks_like_a_date_or_an_operator_is_text() -> None:
    assert read("c.yaml", b"a: 2024-13-45\nb: <<\nc: =").values == {"a": "2024-13-45", "b": "<<", "c": "="}


def test_values_may_be_taken_as_they_are_written() -> None:
    document = read("c.yaml", b"a: [0755, yes, 1.10, ~]\nb: [0755]", [("a", "*")])
    assert document.values == {"a": ["0755", "yes", "1.10", None], "b": [493]}


def test_a_mapping_may_take_another_in_and_its_own_keys_win() -> None:
    content = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {c: 3, <<: [*x, *y]}\n"
    assert read("c.yaml", content.encode()).values["z"] == {"a": 1, "b": 1, "c": 3}


def test_the_place_of_a_value_is_where_it_stands() -> None:
    document = read("c.yaml", b"# first\na:\n  - b: 1\n    c: 2\n")
    assert document.place(("a", 0, "c")) == Place(4, 8)
    assert document.place(("a", 0, "c"), of_key=True) == Place(4, 5)


def test_the_place_of_what_is_missing_is_its_mapping() -> None:
    document = read("c.yaml", b"a:\n  - b: 1\n")
    assert document.place(("a", 0, "missing", "deep")) == Place(2, 5)
    assert document.place(("missing",), of_key=True) == Place(1, 1)


def test_nothing_has_a_place_in_an_empty_file() -> None:
    assert read("c.yaml", b"").place(("a",)) is None


def test_a_byte_order_mark_does_not_count() -> None:
    assert read("c.yaml", b"\xef\xbb\xbfa: 1").values == {"a": 1}


def test_a_key_written_twice_is_a_problem_and_the_first_one_counts() -> None:
    content = "a: 1\nb: 2\na: 3\na: 4\n"
    text = "is written twice, first in line 1: keep one"
    assert found(content) == [(3, 1, text), (4, 1, text)]
    assert read("c.yaml", content.encode()).values == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "content, line, column, text",
    [
        ("a: !secret x", 1, 4, "begins with !, which is a YAML tag: put it in quotes"),
        ("a: !!binary eA==", 1, 4, "begins with !, which is a YAML tag: put it in quotes"),
        ("a: !!set {x}", 1, 4, "has a YAML tag: remove the word that begins with !"),
        ("a: !x [1]", 1, 4, "has a YAML tag: remove the word that begins with !"),
        ("a: !!int secret", 1, 4, "does not fit its YAML tag: remove the word that begins with !!"),
        ("a: !!bool secret", 1, 4, "does not fit its YAML tag: remove the word that begins with !!"),
        ("a: .inf", 1, 4, "is no finite number: write plain digits"),
        ("a: .nan", 1, 4, "is no finite number: write plain digits"),
        ("a: 1\n? [b]\n: 2", 2, 3, "has a list or a mapping for a key: write the key as text"),
        ("a:\n  <<: 5", 2, 7, "merges what is no mapping: write an alias of a mapping"),
    ],
)
def test_what_json_could_not_say_is_a_problem(content: str, line: int, column: int, text: str) -> None:
    assert found(content) == [(line, column, text)]


def test_a_value_that_is_wrong_is_wrong_at_each_place_that_repeats_it() -> None:
    text = "does not fit its YAML tag: remove the word that begins with !!"
    assert found("a: &x !!int x\nb: *x\n") == [(1, 4, text), (1, 4, text)]


@pytest.mark.parametrize(
    "content, line",
    [
        (b"a: b: c", f"c.yaml:1:5: is not valid YAML (mapping values are not allowed here): {QUOTING}"),
        (
            b"a: @x",
            f"c.yaml:1:4: is not valid YAML (found character '@' that cannot start any token): {QUOTING}",
        ),
        (
            b"a: {b: 1",
            f"c.yaml:1:9: is not valid YAML (expected ',' or '}}', but got '<stream end>'): {QUOTING}",
        ),
        (b"a: 1\n---\nb: 1", f"c.yaml:2:1: is not valid YAML (but found another document): {QUOTING}"),
        (b"- a", "c.yaml:1:1: is no mapping: write keys and values, such as `upstream_base_url: demo`"),
        (b"\n  text", "c.yaml:2:3: is no mapping: write keys and values, such as `upstream_base_url: demo`"),
        (b"a: 1\nb: \xc3\xa4\xff", "c.yaml:2:5: is not UTF-8: save the file as UTF-8"),
        (b"a: 1\nb: \x07", "c.yaml:2:4: has a control character, which YAML forbids: remove it"),
        (
            b"a: &a [*a]",
            "c.yaml:1:1: nests too deeply, or refers to itself: write it flat, without the alias",
        ),
        (b"[" * 5000, "c.yaml:1:1: nests too deeply, or refers to itself: write it flat, without the alias"),
    ],
)
def test_what_is_no_yaml_mapping_is_refused_with_its_place(content: bytes, line: str) -> None:
    assert refusal(content) == line


@pytest.mark.parametrize("value", ["*secret", "&secret &secret x", "!secret!x y", "'secret", '"\\secret"'])
def test_a_secret_that_yaml_stumbles_over_is_not_repeated(value: str) -> None:
    assert "secret" not in refusal(f"service_api_key: {value}".encode())


def test_values_are_those_that_pyyaml_loads() -> None:
    content = "a: &a {b: [1, 2.5, yes], c: ''}\nd: {<<: *a, c: x}\ne: >\n  folded\n  text\nf: 'it''s'\n"
    expected: dict[str, Any] = yaml.safe_load(content)
    assert read("c.yaml", content.encode()).values == expected


def test_the_name_is_the_one_given(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"^{tmp_path}:1:1: is no mapping"):
        read(str(tmp_path), b"5")
