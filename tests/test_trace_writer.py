"""Traces are written as they come, by another thread, and old ones go."""

import json
import os
import resource
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from werkzeugkoppler import trace_writer
from werkzeugkoppler.trace_writer import MAX_REFUSED, PRUNE_FILES, Keep, TraceWriter, prune
from werkzeugkoppler.traces import MAX_WORD_CHARS, REFUSED, SUFFIX, Trace, begin

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ALL = Keep()
WRITTEN_SECONDS = 30.0


def trace(id: str = "t1", *, keeps_content: bool = False, **fields: Any) -> Trace:
    trace = begin(id, lambda: NOON, keeps_content=keeps_content)
    trace.add("request", **fields)
    return trace


def write(directory: Path, *written: Trace, keep: Keep = ALL, **overrides: Any) -> None:
    """Write traces, and wait until they are."""
    writer = TraceWriter(directory, keep, **overrides)
    writer.open()
    for item in written:
        writer.write(item)
    writer.close()
    writer._thread.join(WRITTEN_SECONDS)  # `close` waits for two seconds, a busy machine takes longer
    assert not writer._thread.is_alive()


def lines(directory: Path, id: str = "t1") -> list[dict[str, Any]]:
    text = (directory / f"{id}{SUFFIX}").read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_a_trace_is_a_file_of_one_line_for_each_event(tmp_path: Path) -> None:
    written = trace(text="ä\n€")
    events = list(written.events)
    write(tmp_path, written)
    assert lines(tmp_path) == events


def test_every_turn_has_its_file(tmp_path: Path) -> None:
    write(tmp_path, trace("t1"), trace("t2"))
    assert sorted(os.listdir(tmp_path)) == [f"t1{SUFFIX}", f"t2{SUFFIX}"]


def test_a_trace_that_is_written_again_goes_on_in_its_file(tmp_path: Path) -> None:
    write(tmp_path, trace(), trace())
    assert len(lines(tmp_path)) == 4


@pytest.mark.contract("OW-26", "OW-32")
def test_a_trace_that_goes_on_in_another_folder_says_again_what_format_it_is(tmp_path: Path) -> None:
    item, elsewhere = trace(), tmp_path / "elsewhere"
    write(tmp_path, item)
    for text in ("a", "b"):
        item.add("request", text=text)
        write(elsewhere, item)
    first, *rest = lines(elsewhere)
    assert first == lines(tmp_path)[0]
    assert [event.get("text") for event in rest] == ["a", "b"]


def test_any_value_is_written(tmp_path: Path) -> None:
    write(tmp_path, trace(path=Path("x"), half="\ud83d"))
    assert lines(tmp_path)[1] | {"path": "x", "half": "?"} == lines(tmp_path)[1]


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b", trace())
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert lines(tmp_path / "a" / "b")


def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    write(tmp_path, trace("in a folder that is there"))
    write(tmp_path / "new", trace("in a new one"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob(f"**/*{SUFFIX}")}
    assert modes == {0o600}


@pytest.mark.contract("OW-31")
def test_a_folder_that_cannot_be_made_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    write(tmp_path / "file" / "b", trace(), trace())
    assert caplog.text.count("Traces are lost from now on") == 1


def test_a_disk_that_is_too_slow_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trace_writer, "MAX_WAITING", 1)
    monkeypatch.setattr(trace_writer, "CLOSE_SECONDS", 0)
    writer = TraceWriter(tmp_path, Keep())  # not opened: nothing is ever taken
    writer.write(trace())
    writer.write(trace())
    writer.close()
    assert "Traces are lost from now on, requests are served: the disk is too slow" in caplog.text


def test_writing_deletes_what_is_too_much(tmp_path: Path) -> None:
    write(tmp_path, trace("t1"), keep=Keep(bytes=1))
    assert os.listdir(tmp_path) == []


def files(directory: Path, **ages: float) -> None:
    """Make files of 10 bytes, each so many seconds before second 1000."""
    for name, age in ages.items():
        path = directory / f"{name}{SUFFIX}"
        path.write_bytes(b"x" * 10)
        os.utime(path, (1000 - age, 1000 - age))


@pytest.mark.contract("OW-41")
@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (Keep(), "abc"),
        (Keep(seconds=50), "ab"),
        (Keep(seconds=10), "ab"),
        (Keep(seconds=9), "a"),
        (Keep(bytes=30), "abc"),
        (Keep(bytes=29), "ab"),
        (Keep(files=2), "ab"),
        (Keep(9, 29, 3), "a"),
    ],
)
def test_the_old_and_the_many_go(tmp_path: Path, keep: Keep, left: str) -> None:
    files(tmp_path, b=10, a=0, c=100)
    prune(tmp_path, 1000, keep)
    assert sorted(os.listdir(tmp_path)) == [f"{name}{SUFFIX}" for name in left]


def test_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(b"x" * 100)
    prune(tmp_path, 1e12, Keep(1, 1, 1))
    assert os.listdir(tmp_path) == ["mine.txt"]


def refused(id: str) -> Trace:
    refused = trace(id)
    refused.is_refused = True
    return refused


@pytest.mark.contract("OW-41")
def test_a_flood_of_refused_requests_fills_no_disk_and_pushes_nothing_out(tmp_path: Path) -> None:
    files(tmp_path, before=0)
    flood = [refused(f"r{number}") for number in range(MAX_REFUSED + PRUNE_FILES + 5)]
    write(tmp_path, *flood, keep=Keep(files=1))
    assert MAX_REFUSED <= len(os.listdir(tmp_path / REFUSED)) < MAX_REFUSED + PRUNE_FILES
    assert (tmp_path / f"before{SUFFIX}").exists()


def test_a_flood_is_pruned_before_the_time_for_it_has_come(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path, Keep(files=3))
    writer.open()
    writer.write(trace("first"))  # pruned for the first time with this one
    until(lambda: (tmp_path / f"first{SUFFIX}").exists())
    for number in range(PRUNE_FILES):
        writer.write(trace(f"t{number}"))
    until(lambda: len(os.listdir(tmp_path)) == 3)
    writer.close()


def test_so_are_long_traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_writer, "PRUNE_BYTES", 1000)
    first = trace("first")  # pruned for the first time with this one
    write(tmp_path, first, trace("long", text="x" * 1000), trace("last"), keep=Keep(bytes=1))
    assert os.listdir(tmp_path) == [f"last{SUFFIX}"]


def test_events_are_in_the_file_while_the_request_still_runs(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path, Keep())
    writer.open()
    running = trace()
    running.send_to(writer.write)
    until(lambda: (tmp_path / f"t1{SUFFIX}").exists())
    assert [event["type"] for event in lines(tmp_path)] == ["trace_version", "request"]
    running.add("more")
    until(lambda: len(lines(tmp_path)) == 3)
    writer.close()


def until(is_so: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.contract("OW-40")
def test_contents_are_written_without_keys(tmp_path: Path) -> None:
    with_content = trace(keeps_content=True)
    with_content.add("asked", body=with_content.content(b'{"content": "my-own-key"}'))
    write(tmp_path, with_content, secrets=["my-own-key"])
    assert lines(tmp_path)[2]["body"] == '{"content": "[removed]"}'


@pytest.mark.contract("BX-17")
@pytest.mark.parametrize("field", ["model", "model_substituted_from", "finish_reason"])
def test_words_of_others_that_stand_in_any_trace_are_written_without_keys(tmp_path: Path, field: str) -> None:
    said = trace()
    said.add("proxy_request", **{field: "my-own-key"}, stream=True)
    said.add("leg", **{field: "x" * 5000})
    said.add("leg", **{field: "Bearer abc"})
    write(tmp_path, said, secrets=["my-own-key"])
    shown = [line.get(field) for line in lines(tmp_path)[-3:]]
    assert shown == ["[removed]", "x" * MAX_WORD_CHARS, "Bearer [removed]"]


def test_keys_of_a_new_config_are_taken_out_too(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path, Keep(), secrets=["the-first-key"])
    writer.hide(["the-second-key"])
    writer.open()
    with_content = trace(keeps_content=True)
    with_content.add("asked", body=with_content.content("the-first-key the-second-key"))
    writer.write(with_content)
    writer.close()
    assert lines(tmp_path)[2]["body"] == "[removed] [removed]"


def test_contents_do_not_pile_up_before_a_slow_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trace_writer, "MAX_WAITING_CONTENT", 1000)
    writer = TraceWriter(tmp_path, Keep(), keeps_content=True)  # not opened yet: nothing is taken
    long = trace(keeps_content=writer.keeps_content)
    long.send_to(writer.write)
    for text in ("a" * 600, "b" * 600, "c" * 300):
        long.add("said", content=long.content(text))
    assert "Traces are without contents for a while: the disk is too slow" in caplog.text
    writer.open()
    until(lambda: not long.events)
    long.add("said", content=long.content("d" * 900))
    writer.close()
    told = [event.get("content", "-")[0] for event in lines(tmp_path)[2:]]
    assert told == ["a", "-", "c", "d"]


@pytest.mark.contract("OW-41")
def test_a_file_that_is_gone_or_none_keeps_no_other(tmp_path: Path) -> None:
    files(tmp_path, a=1, b=2)
    (tmp_path / f"dangling{SUFFIX}").symlink_to("nowhere")
    (tmp_path / f"folder{SUFFIX}").mkdir()
    prune(tmp_path, 1000, Keep(files=1))
    assert sorted(os.listdir(tmp_path)) == [f"{name}{SUFFIX}" for name in ("a", "dangling", "folder")]


def test_two_may_prune_one_folder(tmp_path: Path) -> None:
    files(tmp_path, **{f"t{number}": number for number in range(500)})
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(prune, tmp_path, 1000, Keep(files=1)) for _ in range(4)]:
            done.result()
    assert os.listdir(tmp_path) == [f"t0{SUFFIX}"]


def test_what_cannot_be_deleted_is_no_lost_trace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / REFUSED).touch()  # no folder
    write(tmp_path, trace())
    assert "Old traces are not deleted" in caplog.text and "lost" not in caplog.text
    assert lines(tmp_path)


@pytest.mark.contract("OW-31")
def test_what_is_lost_after_all_went_well_is_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trace_writer, "WARN_SECONDS", 0)
    bad = [trace(f"no-folder/{number}") for number in range(4)]
    write(tmp_path / "x", bad[0], bad[1], trace(), bad[2], bad[3])
    assert caplog.text.count("Traces are lost from now on") == 2


@pytest.mark.contract("OW-31")
def test_a_line_that_a_full_disk_cuts_harms_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cut = trace(text="x" * 1000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        write(tmp_path, cut)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Traces are lost" in caplog.text
    cut.add("after")
    write(tmp_path, cut)
    told = (tmp_path / f"t1{SUFFIX}").read_text().splitlines()
    assert len(told[1]) > 100 and json.loads(told[-1])["type"] == "after"
