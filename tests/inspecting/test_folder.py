"""Traces are found by their names."""

import os
from pathlib import Path

import pytest

from tests.inspecting.events import HEAD, write
from werkzeugkoppler.inspecting.folder import NotFound, find, newest, paths
from werkzeugkoppler.traces import REFUSED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, id in ((tmp_path, "aa11"), (tmp_path, "aa1122"), (tmp_path / REFUSED, "bb33")):
        write(place, HEAD, id=id)
    (tmp_path / "aa.txt").touch()
    return tmp_path


@pytest.mark.parametrize(
    "id, name",
    [("aa1122", "aa1122"), ("aa11", "aa11"), ("aa112", "aa1122"), ("b", "bb33"), ("chatcmpl-bb33", "bb33")],
)
def test_a_trace_is_found_by_its_id_or_its_beginning(folder: Path, id: str, name: str) -> None:
    assert find(folder, id).name == f"{name}.trace.ndjson"


@pytest.mark.contract("OW-34")
@pytest.mark.parametrize("id", ["zz", "", "../aa11", "*"])
def test_an_unknown_trace_is_told(folder: Path, id: str) -> None:
    with pytest.raises(NotFound, match=r'^no session found for "'):
        find(folder, id)


def test_a_beginning_of_several_is_told_with_their_names(folder: Path) -> None:
    with pytest.raises(NotFound, match='"a" is the beginning of 2 traces: aa11, aa1122$'):
        find(folder, "a")


def test_the_newest_comes_first(folder: Path) -> None:
    for path, seconds in ((folder / "aa11.trace.ndjson", 10), (folder / "aa1122.trace.ndjson", 20)):
        os.utime(path, (seconds, seconds))
    assert [path.name.partition(".")[0] for path in newest(folder)] == ["bb33", "aa1122", "aa11"]


def test_a_folder_that_is_not_there_holds_none(tmp_path: Path) -> None:
    assert list(paths(tmp_path / "none")) == []
