"""The two addresses of the configuration: where the service listens, and where the upstream is."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

DEMO = "demo"
"""The word that stands for the built-in scripted model, in place of an upstream's address."""

SERVICE_EXAMPLE = "http://127.0.0.1:8080"
UPSTREAM_EXAMPLE = "http://127.0.0.1:11434"


_PORTS = {"http": 80, "https": 443}


class ServiceAddress(NamedTuple):
    """Where the service listens."""

    host: str
    """A name or an IP address, the latter without brackets."""
    port: int


def service_address(url: str) -> ServiceAddress:
    """The host and port to listen on (WK-09).

    Raises:
        ValueError: The URL says something else than `http://host:port`; the text says what to do.
    """
    parts = _split(url, SERVICE_EXAMPLE)
    if parts.scheme == "https":
        raise ValueError("asks for TLS, which is not served here: write http, and put a TLS proxy in front")
    if parts.scheme != "http":
        raise ValueError(f"has an unknown scheme: write it as {SERVICE_EXAMPLE}")
    if not parts.hostname or parts.port is None:
        raise ValueError(f"must include host and port: write both, such as {SERVICE_EXAMPLE}")
    if parts.port == 0:
        raise ValueError("has port 0: write a port from 1 to 65535")
    if parts.path not in ("", "/"):
        raise ValueError("has a path: leave it off, the paths are fixed")
    return ServiceAddress(parts.hostname, parts.port)


def upstream_url(url: str) -> str:
    """An upstream's address in the form that a flow's URL has, without a slash at its end; or `demo`.

    The upstream's key is sent where a request's URL begins with it.

    Raises:
        ValueError: It is no such address; the text says what to do.
    """
    if url == DEMO:
        return url
    parts = _split(url, UPSTREAM_EXAMPLE)
    if parts.scheme not in ("http", "https"):
        raise ValueError("has an unknown scheme: write http:// or https://, or the word demo")
    if not parts.hostname or parts.port == 0:
        raise ValueError(f"has no usable host and port: write it as {UPSTREAM_EXAMPLE}")
    if parts.path.rstrip("/").endswith("/v1"):
        raise ValueError("ends with /v1, which is added to it: leave /v1 off")
    try:
        host = parts.hostname.encode("idna").decode()
    except UnicodeError:
        raise ValueError(f"has no usable host and port: write it as {UPSTREAM_EXAMPLE}") from None
    return f"{parts.scheme}://{authority(parts.scheme, host, parts.port)}{parts.path.rstrip('/')}"


def authority(scheme: str, host: str, port: int | None) -> str:
    """A host and its port as they stand in a URL: the scheme's own port is left off."""
    name = f"[{host}]" if ":" in host else host
    return name if port in (None, _PORTS.get(scheme)) else f"{name}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`: localhost, 127.0.0.0/8, ::1."""
    if host.lower() == "localhost":
        return True
    address = _ip(host)
    return address is not None and address.is_loopback


def is_every_address(host: str) -> bool:
    """Whether `host` stands for all addresses of the machine: 0.0.0.0 or ::."""
    address = _ip(host)
    return address is not None and address.is_unspecified


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _split(url: str, example: str) -> SplitResult:
    """The parts of a URL that may have a scheme, a host, a port and a path, and nothing else."""
    # urlsplit drops line breaks and takes spaces for a part of the name.
    if not url.isprintable() or " " in url or "://" not in url:
        raise ValueError(f"is not a URL: write it as {example}")
    try:
        parts = urlsplit(url)
        _ = parts.port  # asks for the port only to learn whether it is one
    except ValueError:
        raise ValueError(f"has no valid host or port (1 to 65535): write it as {example}") from None
    if parts.username is not None:
        raise ValueError("has a user name or password in it: leave it off, keys have settings of their own")
    if parts.query or parts.fragment:
        raise ValueError("has something after ? or #: leave it off")
    return parts
