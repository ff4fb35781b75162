"""JSON objects that are edited without touching what was not meant to change (BX-07)."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn


def no_constants(name: str) -> NoReturn:
    """For `parse_constant`: NaN and Infinity are Python's own."""
    raise ValueError(f"{name} is not JSON")


TOO_LONG = "a number has too many digits"


def in_words(error: Exception) -> str:
    """Why a text is no JSON; what Python says of long numbers is advice for its programmers."""
    return TOO_LONG if "set_int_max_str_digits" in str(error) else str(error)


def _int(digits: str) -> int | None:
    try:
        return int(digits)
    except ValueError:
        return None


_decode = json.JSONDecoder(parse_constant=no_constants).raw_decode
_decode_usual = json.JSONDecoder().raw_decode
_decode_long = json.JSONDecoder(parse_int=_int).raw_decode
_space = re.compile(r"[ \t\n\r]*").match
# Made once: `json.dumps` makes an encoder anew each time that it is given options.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_encode_escaped = json.JSONEncoder(separators=(",", ":")).encode


def dumps(value: Any) -> str:
    """Compact JSON that can always be encoded: halves of a surrogate pair stay escaped."""
    text = _encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _encode_escaped(value)
    return text


def loads(text: str) -> Any:
    """What an upstream's JSON says; a number with more digits than can be read is `None`.

    Raises:
        ValueError: The text is not JSON.
    """
    start = _skip(text, 0)
    value, end = _decode_anything(text, start)
    _end(text, end)
    return value


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """The object that a text is, whoever wrote it; `None` where it is none."""
    if text.lstrip()[:1] not in ("{", b"{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _decode_anything(text: str, at: int) -> tuple[Any, int]:
    try:
        return _decode_usual(text, at)
    except json.JSONDecodeError:
        raise
    except ValueError:  # the number
        return _decode_long(text, at)


@dataclass(frozen=True, slots=True)
class Member:
    """Where one member of an object stands in its text: `text[start:end]` is `"key": value`."""

    key: str
    start: int
    value_start: int
    end: int


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object as it was written, and what it says."""

    text: str
    values: dict[str, Any]
    members: tuple[Member, ...]

    @classmethod
    def parse(cls, text: str, *, lenient: bool = False) -> "JsonObject":
        """Read a whole object.

        Args:
            lenient: Take what the standard reader takes: of a key that stands twice the last value
                counts, and NaN and Infinity are numbers. One with more digits than it takes is `None`.

        Raises:
            ValueError: The text is not JSON, nests too deeply, or says a key twice: two readers
                could take different values from it.
            TypeError: It is JSON, but not an object.
        """
        decode = _decode_anything if lenient else _decode
        start = _skip(text, 0)
        if text[start : start + 1] != "{":
            _end(text, _value(decode, text, start)[1])
            raise TypeError("expected a JSON object")
        values: dict[str, Any] = {}
        members: list[Member] = []
        at = _skip(text, start + 1)
        while text[at : at + 1] != "}":
            if members:
                at = _skip(text, _expect(text, at, ","))
            if text[at : at + 1] != '"':
                raise ValueError(f"expected a key in double quotes at character {at}")
            key, after_key = _value(decode, text, at)
            value_start = _skip(text, _expect(text, _skip(text, after_key), ":"))
            value, end = _value(decode, text, value_start)
            if key in values and not lenient:
                raise ValueError(f"the key {key!r} stands twice, the second time at character {at}")
            values[key] = value
            members.append(Member(key, at, value_start, end))
            at = _skip(text, end)
        _end(text, at + 1)
        return cls(text, values, tuple(members))

    def raw(self, key: str) -> str | None:
        """The text of a member's value as it was written, `None` where there is no such member."""
        for member in reversed(self.members):
            if member.key == key:
                return self.text[member.value_start : member.end]
        return None

    def edited(self, changes: Mapping[str, str | None]) -> str:
        """The object's text with the values in `changes`, given as JSON text, put in.

        `None` takes a member out; a key that is not there yet is added at the end. Everything else,
        white space too, stays as it was written.
        """
        parts: list[str] = []
        previous_end = 0
        for member in self.members:
            before = self.text[previous_end : member.start]
            previous_end = member.end
            change = changes.get(member.key, self.text[member.value_start : member.end])
            if change is None:
                continue
            parts += [before if parts else self.text[: self.members[0].start]]
            parts += [self.text[member.start : member.value_start], change]
        present = {member.key for member in self.members}
        added = [f"{json.dumps(k)}:{v}" for k, v in changes.items() if k not in present and v is not None]
        if not parts:
            return "{" + ",".join(added) + "}"
        return "".join([*parts, *(f",{member}" for member in added), self.text[previous_end:]])


def array_items(text: str) -> list[str]:
    """The items of a JSON array that is known to be valid, each as it was written."""
    return [text[start:end] for start, end in item_spans(text)]


def item_spans(text: str) -> list[tuple[int, int]]:
    """Where the items of a JSON array that is known to be valid stand: `text[start:end]` is one."""
    spans: list[tuple[int, int]] = []
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "]":
        if spans:
            at = _skip(text, at + 1)
        _, end = _decode_anything(text, at)
        spans.append((at, end))
        at = _skip(text, end)
    return spans


def _skip(text: str, at: int) -> int:
    match = _space(text, at)
    assert match  # the pattern matches everywhere
    return match.end()


def _value(decode: Callable[[str, int], tuple[Any, int]], text: str, at: int) -> tuple[Any, int]:
    try:
        return decode(text, at)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise ValueError(in_words(error)) from error


def _expect(text: str, at: int, mark: str) -> int:
    if text[at : at + 1] != mark:
        raise ValueError(f"expected {mark!r} at character {at}")
    return at + 1


def _end(text: str, at: int) -> None:
    if _skip(text, at) != len(text):
        raise ValueError(f"unexpected text after the end at character {at}")
