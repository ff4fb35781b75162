"""JSON values garbled at random, as a broken server or client might send them."""

import copy
from collections.abc import Iterator
from random import Random
from typing import Any, Final

ODD: Final[tuple[Any, ...]] = (
    *(None, True, 0, 1, -1, 1.5, 10**30, "", "x", "\ud800", "\0"),
    *([], {}, [None], [[]], [{}], ["x"], {"a": 1}, {"": None}),
)
"""What a value is replaced with."""

type Path = tuple[Any, ...]


def garbled(random: Random, value: Any) -> Any:
    """A copy in which one to three values, at any depth, are replaced by odd ones or left out."""
    value = copy.deepcopy(value)
    for _ in range(random.randint(1, 3)):
        if places := list(_places(value)):
            *way, last = random.choice(places)
            holder = value
            for step in way:
                holder = holder[step]
            if random.random() < 0.3:
                del holder[last]
            else:
                holder[last] = copy.deepcopy(random.choice(ODD))
    return value


def _places(value: Any, path: Path = ()) -> Iterator[Path]:
    steps = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in steps:
        yield (*path, step)
        yield from _places(value[step], (*path, step))
