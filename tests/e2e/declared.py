"""Tools and requests that several files of tests use, as they are declared."""

from typing import Any, Final

from tests.fakes.chunks import Call

HELLO: Final[dict[str, Any]] = {
    "name": "hello",
    "description": "Greets",
    "command": "echo",
    "arguments": ["hello"],
}
"""An action of ours."""

CALL_HELLO: Final = Call("actions__hello", id="aB3dE5gH7")

WEATHER: Final[dict[str, Any]] = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object"}},
}
"""A tool of the client's own."""

WITH_USAGE: Final[dict[str, Any]] = {"stream_options": {"include_usage": True}}
"""What a client adds to a streamed request that wants the usage chunk."""
