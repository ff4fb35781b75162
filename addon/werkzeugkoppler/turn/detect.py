"""Detectors: texts that are looked for in what a model has said, which stays as it is (OW-66)."""

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache
from typing import Any

from werkzeugkoppler.config.detector_section import Detector

MAX_CHARS = 200_000
"""Of an answer that are looked through: some ms for each detector."""

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)


def fired(content: Any, detectors: Iterable[Detector]) -> list[str]:
    """The names of the detectors whose pattern is in an answer; code in it does not count.

    Args:
        content: A message's; one that is no text has nothing in it.
    """
    if not isinstance(content, str):
        return []
    prose = _CODE.sub("\n", content[:MAX_CHARS])
    return [detector.name for detector in detectors if _regex(detector.pattern).match(prose)]


@lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    # Globs, not regular expressions: those can be written so that they look for hours.
    return re.compile(translate(f"*{pattern}*"), re.IGNORECASE)
