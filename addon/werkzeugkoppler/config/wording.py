"""What pydantic finds wrong, in words: what is wrong, and what to do.

No value is ever repeated, since it may be a secret; a key is, since it is not.
"""

from collections.abc import Callable
from difflib import get_close_matches

from pydantic_core import ErrorDetails

from werkzeugkoppler.config.address import UPSTREAM_EXAMPLE
from werkzeugkoppler.config.keys import keys_of
from werkzeugkoppler.config.problem import Problem

UPSTREAM_VARIABLE = "WERKZEUGKOPPLER_UPSTREAM_BASE_URL"

_KINDS = {
    bool: "yes or no",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}

_MISSING = {
    "upstream_base_url": f"write `upstream_base_url: {UPSTREAM_EXAMPLE}` with your model server's address"
    f" (or `upstream_base_url: demo` to try it without one), or set {UPSTREAM_VARIABLE}"
}
"""What to do where the name of a key does not say what belongs there."""


def problem_of(error: ErrorDetails) -> Problem:
    """What pydantic found, in words."""
    path = (*error["loc"], *error.get("ctx", {}).get("within", ()))
    text = _TEXTS.get(error["type"], _unforeseen)(error)
    return Problem(path, text, of_key=error["type"] == "extra_forbidden")


def _kind(error: ErrorDetails) -> str:
    return _KINDS.get(type(error["input"]), "empty")


def _instead_of(wanted: str, advice: str) -> Callable[[ErrorDetails], str]:
    return lambda error: f"is {_kind(error)}, not {wanted}: {advice}"


def _not_text(error: ErrorDetails) -> str:
    simple = isinstance(error["input"], bool | int | float)
    return f"is {_kind(error)}, not text: {'put it in quotes' if simple else 'write a single text'}"


def _unknown(error: ErrorDetails) -> str:
    *above, key = error["loc"]
    near = get_close_matches(str(key), keys_of(tuple(above)), n=1)
    advice = f"did you mean {near[0]}?" if near else "remove it, or look it up in docs/configuration.md"
    return f"is no known key: {advice}"


def _missing(error: ErrorDetails) -> str:
    key = str(error["loc"][-1])
    return f"is missing: {_MISSING.get(key, f'add `{key}: ...`')}"


def _not_offered(error: ErrorDetails) -> str:
    words = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
    return f"is none of the words that can stand here: write one of {words}"


def _unforeseen(error: ErrorDetails) -> str:
    return f"cannot be used ({error['msg']}): look it up in docs/configuration.md"


_TEXTS: dict[str, Callable[[ErrorDetails], str]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "string_type": _not_text,
    "int_type": _instead_of("a whole number", "write plain digits, without quotes"),
    "float_type": _instead_of("a number", "write plain digits, without quotes"),
    "bool_type": _instead_of("yes or no", "write true or false, without quotes"),
    "tuple_type": _instead_of("a list", "write each entry on a line of its own, after a dash"),
    "dict_type": _instead_of("a mapping", "write keys and values, such as `key: value`"),
    "model_type": _instead_of("a mapping", "write keys and values, such as `key: value`"),
    "finite_number": lambda error: "is no finite number: write plain digits",
    "literal_error": _not_offered,
    "greater_than": lambda error: f"is too small: write a number above {error['ctx']['gt']:g}",
    "greater_than_equal": lambda error: f"is too small: write {error['ctx']['ge']:g} or more",
    "value_error": lambda error: str(error["ctx"]["error"]),
    "within": lambda error: str(error["ctx"]["text"]),
}
"""The sentence for each of pydantic's kinds of error that the schema can cause."""
