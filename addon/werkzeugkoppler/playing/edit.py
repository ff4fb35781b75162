"""A leg's body as somebody leaves it in an editor."""

import json
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.playing.saved import NotSaved
from werkzeugkoppler.wire.chat import parse_request
from werkzeugkoppler.wire.jsontext import JsonObject
from werkzeugkoppler.wire.rewrite import aligned, rewritten

EDITORS = ("VISUAL", "EDITOR")


def edited(body: JsonObject, environ: Mapping[str, str]) -> JsonObject:
    """The body as somebody leaves it in an editor; what they do not touch stays as it was written.

    Args:
        environ: Names the editor.

    Raises:
        NotSaved: There is no editor, it failed, or what it left is no chat request any more.
    """
    command = _editor(environ)
    file, name = tempfile.mkstemp(prefix="leg-", suffix=".json")
    path = Path(name)
    before = json.dumps(body.values, indent=2, ensure_ascii=False) + "\n"
    with os.fdopen(file, "w", encoding="utf-8", errors="surrogatepass") as opened:
        opened.write(before)
    try:
        with _ctrl_c_for_the_editor():
            code = subprocess.run([*command, name], check=False).returncode
    except OSError as error:
        path.unlink()
        raise NotSaved(f"the editor {command[0]} cannot be started: {error.strerror}") from error
    if code:
        raise NotSaved(f"the editor ended with {code}, nothing was asked: the body is in {path}")
    after = _left(path, body)
    path.unlink()
    return after


def _editor(environ: Mapping[str, str]) -> list[str]:
    for name in EDITORS:
        try:
            if command := shlex.split(environ.get(name, "")):
                return command
        except ValueError as error:
            raise NotSaved(f"{name} is no command: {error}") from error
    raise NotSaved(f"no editor is known: set {' or '.join(EDITORS)}")


@contextmanager
def _ctrl_c_for_the_editor() -> Iterator[None]:
    """Ctrl-C goes to all in the terminal: what it means while the editor runs is the editor's to say."""
    # A handler, since children inherit it where a signal is ignored.
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _left(path: Path, body: JsonObject) -> JsonObject:
    """What the editor left of the body; the file stays where that cannot be asked."""
    try:
        # Some editors put a byte order mark at the front.
        after = JsonObject.parse(path.read_text(encoding="utf-8-sig", errors="surrogatepass"))
        result = JsonObject.parse(rewritten(body.text, body.values, aligned(body.values, after.values)))
        parse_request(result.text.encode())
    except FileNotFoundError as error:
        raise NotSaved("the editor left no file, nothing was asked") from error
    except ApiError as error:
        raise NotSaved(f"the edited body cannot be used: {error.message}: it is in {path}") from error
    except (OSError, ValueError, TypeError) as error:
        raise NotSaved(f"the edited body cannot be used: {error}: it is in {path}") from error
    return result
