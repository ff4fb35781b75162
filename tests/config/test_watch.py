"""A file that is watched: what is told of it, and when."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream

from werkzeugkoppler.config import watch
from werkzeugkoppler.config.watch import Signature, follow, settled, signature

type Looks = MemoryObjectReceiveStream[Signature]


@asynccontextmanager
async def followed(path: Path) -> AsyncIterator[Looks]:
    """What is told of a file while it is followed; the first look has been had."""
    send, receive = anyio.create_memory_object_stream[Signature](10)
    with anyio.fail_after(15), send, receive:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow, path, send.send)
            assert await receive.receive() == await signature(path)
            yield receive
            tasks.cancel_scope.cancel()


def write(path: Path) -> None:
    path.write_text("other content", encoding="utf-8")


def rename(path: Path) -> None:
    write(path.with_name("new"))
    os.replace(path.with_name("new"), path)


@pytest.mark.parametrize("change", [write, rename, os.unlink])
async def test_each_change_is_told(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("content", encoding="utf-8")
    async with followed(path) as looks:
        change(path)
        assert await looks.receive() == await signature(path)


async def test_a_file_that_comes_is_told(tmp_path: Path) -> None:
    async with followed(tmp_path / "config.yaml") as looks:
        write(tmp_path / "another.yaml")
        write(tmp_path / "config.yaml")
        assert await looks.receive() is not None


async def test_a_file_that_is_the_same_after_all_is_no_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    write(tmp_path / "config.yaml")
    async with followed(tmp_path / "config.yaml") as looks:
        with anyio.move_on_after(1):
            await looks.receive()
            raise AssertionError("told of no change")


async def test_a_link_that_is_turned_on_the_way_is_a_change(tmp_path: Path) -> None:
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "config.yaml").write_text(version, encoding="utf-8")
    (tmp_path / "now").symlink_to("one")
    (tmp_path / "config.yaml").symlink_to("now/config.yaml")
    async with followed(tmp_path / "config.yaml") as looks:
        (tmp_path / "next").symlink_to("two")
        os.replace(tmp_path / "next", tmp_path / "now")
        assert await looks.receive() is not None


async def test_a_folder_that_cannot_be_watched_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    folder = tmp_path / "later"
    async with followed(folder / "config.yaml") as looks:
        folder.mkdir()
        write(folder / "config.yaml")
        assert await looks.receive() is not None
    assert "is not watched" in caplog.text


async def test_a_file_that_never_comes_to_rest_is_looked_at_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.yaml"
    lines = 0

    async def restless(_: Path) -> Signature:
        nonlocal lines
        lines += 1
        return (1, lines, 0)

    monkeypatch.setattr(watch, "signature", restless)
    monkeypatch.setattr(watch, "QUIET_SECONDS", 0.001)
    monkeypatch.setattr(watch, "RESTLESS_SECONDS", 0.05)
    with anyio.fail_after(5):
        assert await settled(path) is not None
    assert lines > 2
