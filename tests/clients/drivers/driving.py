"""What all Python drivers have in common: a question per line on stdin, what came of it per line on stdout.

It runs in the client's environment, where nothing of the proxy's is installed.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

MODEL: Final = "fake-model"
WEATHER: Final = "Tells the weather of a city"
"""What the client's own tool is described as."""


@dataclass
class Report:
    """What a client made of one question, over all the requests that it sent for it."""

    pieces: list[str] = field(default_factory=list)
    """The text of the answers, in the pieces in which the client gave them out."""
    cities: list[str] = field(default_factory=list)
    """What the client's own tool was called with."""
    finishes: list[str | None] = field(default_factory=list)
    """The finish reason of each answer."""
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def weather(self, city: str) -> str:
        """The client's own tool."""
        self.cities.append(city)
        return f"rain in {city}"

    def count(self, prompt_tokens: int | None, completion_tokens: int | None) -> None:
        """Add the usage of one answer."""
        self.prompt_tokens += prompt_tokens or 0
        self.completion_tokens += completion_tokens or 0


def serve(ask: Callable[[str, bool, bool], Report]) -> None:
    """Answer until stdin ends.

    Args:
        ask: Asks a question, streamed or not, with the client's own tool or without.
    """
    _write({"ready": True})
    for line in sys.stdin:
        wanted = json.loads(line)
        try:
            _write(asdict(ask(wanted["question"], wanted["stream"], wanted["tools"])))
        except Exception as error:
            raised = [f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__]
            _write({"raised": raised, "message": str(error)})


def _write(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
