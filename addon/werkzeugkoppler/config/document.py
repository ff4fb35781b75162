"""A YAML file as plain values, and where in the file each of them stands.

It takes only what JSON could say too. The places come from the nodes that PyYAML composes, by its
reader in Python, also where the faster one in C is there: their messages differ.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from werkzeugkoppler.config.problem import Path, Place, Problem
from werkzeugkoppler.errors import ConfigError

_TAG = "tag:yaml.org,2002:"
_NULL, _MERGE, _MAPPING, _LIST = _TAG + "null", _TAG + "merge", _TAG + "map", _TAG + "seq"
# A date is taken as it stands; << and = mean something only as keys.
_TEXTS = {_TAG + name for name in ("str", "timestamp", "merge", "value")}
_SCALARS = {_TAG + name for name in ("bool", "int", "float")}

_QUOTING = "check the indentation, and put text with any of : # { [ * & ! @ % in it into quotes"


@dataclass(frozen=True)
class Document:
    """The content of a file."""

    name: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    """What is wrong in the file itself, whatever its keys mean."""
    keys: dict[Path, Place] = field(default_factory=dict)
    """Where the key of each path stands."""
    places: dict[Path, Place] = field(default_factory=dict)
    """Where the value of each path stands."""

    def place(self, path: Path, *, of_key: bool = False) -> Place | None:
        """Where the value at `path` stands, or its key, or the mapping that it is missing from."""
        if of_key and path in self.keys:
            return self.keys[path]
        above = (path[:end] for end in range(len(path), -1, -1))
        return next((self.places[part] for part in above if part in self.places), None)


def read(name: str, content: bytes, as_written: Sequence[Path] = ()) -> Document:
    """Read a file, and note what is wrong with its values among the document's problems.

    Args:
        name: What the file is called in problems.
        as_written: Paths, `"*"` standing for any step, where a number or a yes is taken as text.

    Raises:
        ConfigError: It is no YAML mapping at all.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(errors="ignore")  # a BOM moves the offset
        raise _unreadable(name, _end_of(before), "is not UTF-8: save the file as UTF-8") from error
    builder = _Builder(name, as_written)
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        return builder.document if root is None else builder.built(root)
    except yaml.reader.ReaderError as error:
        place = _end_of(text[: error.position])
        raise _unreadable(name, place, "has a control character, which YAML forbids: remove it") from error
    except yaml.MarkedYAMLError as error:
        raise _unreadable(name, *_syntax_problem(error)) from error
    except RecursionError as error:
        what = "nests too deeply, or refers to itself: write it flat, without the alias"
        raise _unreadable(name, Place(1, 1), what) from error


def _unreadable(name: str, place: Place, text: str) -> ConfigError:
    return ConfigError([f"{name}:{place.line}:{place.column}: {text}"])


def _end_of(text: str) -> Place:
    """The place of the character after `text`."""
    return Place(text.count("\n") + 1, len(text) - text.rfind("\n"))


def _syntax_problem(error: yaml.MarkedYAMLError) -> tuple[Place, str]:
    mark = error.problem_mark or error.context_mark
    place = Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)
    # A word in the message may be a piece of a secret without quotes; a token in <> or one character is not.
    problem = re.sub(r"'[\w!-]{2,}'", "a word", error.problem or "")
    return place, f"is not valid YAML ({problem}): {_QUOTING}"


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


class _Builder:
    """Turns composed nodes into values, and notes where they stand."""

    def __init__(self, name: str, as_written: Sequence[Path]) -> None:
        self.document = Document(name)
        self._as_written = as_written

    def built(self, root: yaml.Node) -> Document:
        """The document of a root node; raises ConfigError where that is no mapping."""
        value = self._value(root, ())
        if isinstance(value, dict):
            self.document.values.update(value)
        elif value is not None:
            what = "is no mapping: write keys and values, such as `upstream_base_url: demo`"
            raise _unreadable(self.document.name, _place(root), what)
        return self.document

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self.document.places[path] = _place(node)
        if isinstance(node, yaml.MappingNode) and node.tag == _MAPPING:
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _LIST:
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._problem(node, path, "has a YAML tag: remove the word that begins with !")
        return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        # What is merged in comes first, wherever it stands: the mapping's own keys win over it.
        for key, value in node.value:
            if key.tag == _MERGE:
                result |= self._merged(value, path)
        own: dict[str, Place] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, path, "has a list or a mapping for a key: write the key as text")
            elif key.value in own:
                first = own[key.value].line
                text = f"is written twice, first in line {first}: keep one"
                self.document.problems.append(Problem((*path, key.value), text, _place(key), of_key=True))
            else:
                own[key.value] = self.document.keys[(*path, key.value)] = _place(key)
                result[key.value] = self._value(value, (*path, key.value))
        return result

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        # Of several mappings the first wins.
        for source in reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(source, yaml.MappingNode):
                result |= self._mapping(source, path)
            else:
                self._problem(source, path, "merges what is no mapping: write an alias of a mapping")
        return result

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        if node.tag == _NULL:
            return None
        if node.tag in _TEXTS or (node.tag in _SCALARS and self._is_as_written(path)):
            return node.value
        if node.tag not in _SCALARS:
            self._problem(node, path, "begins with !, which is a YAML tag: put it in quotes")
            return None
        try:
            # Each with a constructor of its own: one that has failed takes the node for a loop ever after.
            value = yaml.constructor.SafeConstructor().construct_object(node)
        except (ValueError, KeyError):
            self._problem(node, path, "does not fit its YAML tag: remove the word that begins with !!")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self._problem(node, path, "is no finite number: write plain digits")
            return None
        return value

    def _is_as_written(self, path: Path) -> bool:
        return any(
            len(pattern) == len(path) and all(a in ("*", b) for a, b in zip(pattern, path, strict=True))
            for pattern in self._as_written
        )

    def _problem(self, node: yaml.Node, path: Path, text: str) -> None:
        self.document.problems.append(Problem(path, text, _place(node)))
