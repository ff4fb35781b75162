"""The running proxy is asked, and nobody else; whatever answers, there is a sentence about it."""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.launch import write_config
from tests.explain.test_shown import EXPLANATION
from werkzeugkoppler.explain.ask import NotExplained, ask
from werkzeugkoppler.explain.command import main

DEEP = b"[" * 200_000
WHOLE = EXPLANATION | {"object": "werkzeugkoppler.explanation"}
EXPLAINED = b'{"object": "werkzeugkoppler.explanation"}'


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server with one answer for each connection; gives its URL and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(5)
                    asked.append(connection.recv(65536))
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        thread.join(5)


def http(body: bytes, status: str = "200 OK", length: int | None = None, head: str = "") -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{head}\r\n".encode() + body


@pytest.mark.contract("BX-17")
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Moved", "308 Moved"])
def test_the_key_follows_no_redirect(status: str) -> None:
    with answering(http(EXPLAINED)) as (elsewhere, stolen):
        with answering(http(b"", status, head=f"Location: {elsewhere}/x\r\n")) as (url, asked):
            with pytest.raises(NotExplained, match=f"answered {status[:3]}"):
                ask(url, "the-key", b"{}")
        assert b"the-key" in asked[0] and not stolen
        ask(elsewhere, None, b"{}")  # the server's end


def test_a_proxy_that_the_environment_names_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with answering(http(EXPLAINED)) as (url, asked):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert ask(url, None, b"{}")["object"]
        assert asked[0].startswith(b"POST /v1/chat/completions ")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "no whole HTTP answer"),
        (b"", "no whole HTTP answer"),
        (http(b"{}", length=100), "no whole HTTP answer"),
        (http(b"{}", "500 Bad", length=100), "no whole HTTP answer"),
        (http(DEEP), "no Werkzeugkoppler"),
        (http(DEEP, "400 Bad"), "answered 400"),
        (http(b"\xff\xfe"), "no Werkzeugkoppler"),
        (http(b'{"error": {"message": "none"}}', "404 Not Found"), "answered 404: none"),
    ],
)
def test_whatever_answers_there_is_a_sentence_about_it(answer: bytes, told: str) -> None:
    with answering(answer) as (url, _):
        with pytest.raises(NotExplained, match=told):
            ask(url, None, b"{}")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:80a0", "http://local host:80", "127.0.0.1:80", "ftp//x", ""]
)
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(NotExplained, match="is no URL of a proxy|no proxy answers"):
        ask(url, None, b"{}")


def test_an_error_of_the_server_moves_no_cursor(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = write_config(tmp_path, {"upstream_base_url": "demo"})
    body = b'{"error": {"message": "\\u001b[2Jbad\\nnews\\u009b"}}'
    with answering(http(body, "400 Bad")) as (url, _):
        assert main(["--url", url, "--config", str(config), __file__]) == 1
    assert capsys.readouterr().err.endswith("answered 400: ·[2Jbad news·\n")


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_reader_that_leaves_does_no_harm(
    form: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = write_config(tmp_path, {"upstream_base_url": "demo"})
    receiver, sender = os.pipe()
    os.close(receiver)
    with answering(http(json.dumps(WHOLE).encode())) as (url, _), open(sender, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert main(["--url", url, "--config", str(config), __file__, *form]) == 0


def test_half_a_character_does_no_harm(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = write_config(tmp_path, {"upstream_base_url": "demo"})
    body = json.dumps(WHOLE | {"diff": "+\ud800"}).encode()
    for more in ([], ["--json"]):
        with answering(http(body)) as (url, _):
            assert main(["--url", url, "--config", str(config), __file__, *more]) == 0
    shown, _, printed = capsys.readouterr().out.partition("{")
    assert shown and json.loads("{" + printed)["diff"] == "+\ud800"
