"""A leg's body as somebody leaves it in an editor."""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from werkzeugkoppler.playing.saved import NotSaved
from werkzeugkoppler.wire.jsontext import JsonObject
from werkzeugkoppler.wire.rewrite import aligned, rewritten

EDITORS = ("VISUAL", "EDITOR")


def edited(body: JsonObject, environ: Mapping[str, str]) -> JsonObject:
    """The body as somebody leaves it in an editor; what they do not touch stays as it was written.

    Args:
        environ: Names the editor.

    Raises:
        NotSaved: There is no editor, it failed, or what it left is no JSON object any more.
    """
    command = next((shlex.split(environ[name]) for name in EDITORS if environ.get(name, "").strip()), None)
    if command is None:
        raise NotSaved(f"no editor is known: set {' or '.join(EDITORS)}")
    file, path = tempfile.mkstemp(prefix="leg-", suffix=".json")
    before = json.dumps(body.values, indent=2, ensure_ascii=False) + "\n"
    with os.fdopen(file, "w", encoding="utf-8", errors="surrogatepass") as opened:
        opened.write(before)
    try:
        code = subprocess.run([*command, path], check=False).returncode
    except OSError as error:
        Path(path).unlink()
        raise NotSaved(f"the editor {command[0]} cannot be started: {error.strerror}") from error
    if code:
        raise NotSaved(f"the editor ended with {code}, nothing was asked: the body is in {path}")
    try:
        after = JsonObject.parse(Path(path).read_text(encoding="utf-8", errors="surrogatepass"))
    except (OSError, ValueError, TypeError) as error:
        raise NotSaved(f"the edited body cannot be used: {error}: it is in {path}") from error
    Path(path).unlink()
    return JsonObject.parse(rewritten(body.text, body.values, aligned(body.values, after.values)))
