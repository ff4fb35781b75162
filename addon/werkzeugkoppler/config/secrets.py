"""Which values of the configuration are keys, or may be."""

from collections.abc import Iterator

from werkzeugkoppler.config.schema import Settings

_KEY_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
"""A variable with one of these in its name holds a key."""


def known_secrets(settings: Settings) -> tuple[str, ...]:
    """The keys, none of them empty: what must stand in no log and no trace (BX-17)."""
    return tuple(value for value in _values(settings) if value)


def _values(settings: Settings) -> Iterator[str]:
    yield from settings.secrets
    for server in settings.mcp_servers:
        for value in server.headers.values():
            yield value.rpartition(" ")[2]  # after a scheme such as Bearer
        for name, value in server.env.items():
            if any(word in name.upper() for word in _KEY_WORDS):
                yield value
