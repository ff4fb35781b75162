"""What an editor may do to a leg's body."""

import json
import re
import tempfile
from pathlib import Path

import pytest

from tests.playing.saving import asking
from werkzeugkoppler.playing.edit import edited
from werkzeugkoppler.playing.saved import NotSaved
from werkzeugkoppler.wire.jsontext import JsonObject

BODY = JsonObject.parse(json.dumps(asking()))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the body is put."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def edit(folder: Path, script: str) -> JsonObject:
    program = folder / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o700)
    return edited(BODY, {"EDITOR": str(program)})


@pytest.mark.parametrize("body", ["{", '{"model": 1}', '{"messages": "mine"}', "[1]"])
def test_edits_that_cannot_be_asked_are_kept(folder: Path, body: str) -> None:
    with pytest.raises(NotSaved, match="the edited body cannot be used") as raised:
        edit(folder, f"printf '%s' '{body}' > $1")
    (kept,) = re.findall(r"it is in (\S+)$", str(raised.value))
    assert Path(kept).read_text(encoding="utf-8") == body


def test_a_byte_order_mark_is_not_part_of_the_body(folder: Path) -> None:
    after = edit(folder, r"""printf '\357\273\277' > $1.new; sed s/Hello/Bye/ $1 >> $1.new; mv $1.new $1""")
    assert after.text == BODY.text.replace("Hello", "Bye")


def test_an_editor_that_leaves_no_file_is_told(folder: Path) -> None:
    with pytest.raises(NotSaved, match="^the editor left no file, nothing was asked$"):
        edit(folder, "rm $1")


def test_an_editor_with_a_quote_that_does_not_end_is_told() -> None:
    with pytest.raises(NotSaved, match=r"^VISUAL is no command: No closing quotation$"):
        edited(BODY, {"VISUAL": 'vi "x', "EDITOR": "true"})


def test_ctrl_c_in_the_editor_is_for_the_editor(folder: Path) -> None:
    assert edit(folder, "trap : INT; kill -INT $PPID $$; sed -i s/Hello/Bye/ $1").text != BODY.text


def test_an_editor_that_ctrl_c_ended_names_the_body(folder: Path) -> None:
    with pytest.raises(NotSaved, match="the editor ended with -2, nothing was asked: the body is in /"):
        edit(folder, "kill -INT $PPID $$")
