"""What counts as an address, and who can reach it."""

import pytest

from werkzeugkoppler.config.address import is_every_address, is_loopback, service_address, upstream_url


@pytest.mark.parametrize(
    "url, host, port",
    [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080),
        ("http://localhost:1/", "localhost", 1),
        ("HTTP://Example.org:65535", "example.org", 65535),
        ("http://[::1]:8080", "::1", 8080),
    ],
)
def test_a_service_address_is_a_host_and_a_port(url: str, host: str, port: int) -> None:
    assert service_address(url) == (host, port)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "http://127.0.0.1:", "http://:8080", "http://[::1]"])
def test_a_service_address_needs_host_and_port(url: str) -> None:
    with pytest.raises(
        ValueError, match="must include host and port: write both, such as http://127.0.0.1:8080"
    ):
        service_address(url)


@pytest.mark.parametrize("port", ["65536", "-1", "http", "8080x", "1e3"])
def test_a_service_port_is_a_number_up_to_65535(port: str) -> None:
    with pytest.raises(ValueError, match=r"no valid host or port \(1 to 65535\)"):
        service_address(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "url, what",
    [
        ("http://127.0.0.1:0", "port 0: write a port from 1"),
        ("https://127.0.0.1:8080", "put a TLS proxy in front"),
        ("ftp://127.0.0.1:8080", "unknown scheme"),
        ("http://127.0.0.1:8080/v1", "has a path: leave it off"),
        ("127.0.0.1:8080", "is not a URL"),
        ("http://127.0.0.1:80 80", "is not a URL"),
        ("http://127.0.0.1:8080\n", "is not a URL"),
        ("", "is not a URL"),
        ("http://[::1:8080", "no valid host or port"),
        ("http://me:secret@127.0.0.1:8080", "user name or password"),
        ("http://127.0.0.1:8080?a=b", r"after \? or #"),
        ("http://127.0.0.1:8080#a", r"after \? or #"),
    ],
)
def test_a_service_address_has_nothing_else(url: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        service_address(url)


@pytest.mark.parametrize(
    "url, kept",
    [
        ("demo", "demo"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("https://models.example.org/", "https://models.example.org"),
        ("https://example.org/openai", "https://example.org/openai"),
        ("https://example.org/v10", "https://example.org/v10"),
        ("http://[::1]:1234", "http://[::1]:1234"),
        ("HTTPS://Models.Example.ORG:443/OpenAI/", "https://models.example.org/OpenAI"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]", "http://[::1]"),
        ("https://bücher.example:8443", "https://xn--bcher-kva.example:8443"),
    ],
)
def test_an_upstream_address_has_one_form(url: str, kept: str) -> None:
    assert upstream_url(url) == kept


@pytest.mark.parametrize(
    "url, what",
    [
        ("http://127.0.0.1:11434/v1", "leave /v1 off"),
        ("http://127.0.0.1:11434/v1/", "leave /v1 off"),
        ("https://example.org/openai/v1", "leave /v1 off"),
        ("ws://example.org", "or the word demo"),
        ("http://", "no usable host and port"),
        ("http://example.org:0", "no usable host and port"),
        ("example.org", "is not a URL"),
        ("https://sk-secret@example.org", "keys have settings of their own"),
        ("https://example.org/?key=secret", r"after \? or #"),
    ],
)
def test_what_is_no_upstream_address_says_what_to_write(url: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as refused:
        upstream_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"]
)
def test_a_loopback_host_is_reached_from_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.2", "128.0.0.1", "example.org", "localhost.org", ""]
)
def test_any_other_host_is_no_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host, every", [("0.0.0.0", True), ("::", True), ("127.0.0.1", False), ("a", False)])
def test_two_addresses_stand_for_every_one(host: str, every: bool) -> None:
    assert is_every_address(host) is every
