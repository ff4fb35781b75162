"""What is made of each state of the config file."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from tests.config.files import UPSTREAM
from werkzeugkoppler import reload
from werkzeugkoppler.config.load import load
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.watch import signature
from werkzeugkoppler.reload import Reloader


@dataclass
class Case:
    """A config file, what follows it, and the settings that were put to work."""

    path: Path
    applied: list[Settings] = field(default_factory=list)
    during_read: Callable[[], object] = bool
    """Done while the file is read."""
    fault: Exception | None = None
    """Why new settings cannot be put to work."""

    def __post_init__(self) -> None:
        self.write(UPSTREAM)
        self.reloader = Reloader(
            self.path, load(str(self.path), {}), exists=True, read=self._read, apply=self._apply
        )

    def write(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")

    async def look(self) -> None:
        await self.reloader.look(await signature(self.path))

    async def _read(self) -> Settings:
        self.during_read()
        return load(str(self.path), {})

    async def _apply(self, settings: Settings) -> None:
        if self.fault is not None:
            raise self.fault
        self.applied.append(settings)


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Case:
    monkeypatch.setattr(reload, "PATIENCE_SECONDS", 0.01)
    caplog.set_level("INFO")
    return Case(tmp_path / "config.yaml")


async def test_good_settings_are_put_to_work_and_what_changed_is_told(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    case.write(UPSTREAM + "max_tool_loops: 3\nservice_api_key: hidden\n")
    await case.look()
    assert [settings.max_tool_loops for settings in case.applied] == [3]
    assert caplog.messages == ["Configuration reloaded: service_api_key, max_tool_loops"]


async def test_the_same_settings_are_no_news(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    await case.look()
    assert not case.applied and not caplog.messages


async def test_a_wrong_file_is_told_once_until_it_is_right_again(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    case.write("nonsense: 1\n")
    await case.look()
    await case.look()
    (told,) = caplog.messages
    assert told.startswith("Configuration reload failed") and "config.yaml:1:1: nonsense:" in told
    assert case.reloader.error is not None and "nonsense" in case.reloader.error
    case.write(UPSTREAM)
    await case.look()
    assert case.reloader.error is None and not case.applied


async def test_a_wrong_file_that_is_being_written_is_not_told(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    case.write("nonsense: 1\n")
    seen = await signature(case.path)
    case.write("nonsense: 1\nmore: 2\n")
    await case.reloader.look(seen)
    assert not caplog.messages and case.reloader.error is None


async def test_a_file_that_changes_while_it_is_read_is_read_again_later(case: Case) -> None:
    case.during_read = lambda: case.write(UPSTREAM + "max_tool_loops: 3\n")
    await case.look()
    assert not case.applied


async def test_an_empty_file_does_not_count_as_a_config(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    case.write("")
    await case.look()
    assert not case.applied and "is empty" in caplog.text


async def test_a_file_that_is_gone_is_told_once(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    case.path.unlink()
    await case.look()
    await case.look()
    assert len(caplog.messages) == 1 and "is gone" in caplog.text
    assert not case.applied


async def test_settings_that_cannot_be_put_to_work_leave_the_old_ones(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    case.fault = RuntimeError("no room")
    case.write(UPSTREAM + "max_tool_loops: 3\n")
    await case.look()
    assert case.reloader.error == "RuntimeError: no room" and "stays" in caplog.text
    case.fault = None
    await case.look()
    assert case.reloader.error is None and len(case.applied) == 1


async def test_an_address_takes_a_restart_and_an_open_door_is_warned_of(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    case.write(UPSTREAM + "service_base_url: http://0.0.0.0:1\nallow_unauthenticated: true\n")
    await case.look()
    assert "service_base_url takes effect with a restart" in caplog.text
    assert "allow_unauthenticated is on" in caplog.text


async def test_a_key_that_is_still_to_be_written_keeps_everyone_out(case: Case) -> None:
    key = UPSTREAM + "service_api_key: k\n"
    case.write(key)
    await case.look()
    case.write(UPSTREAM)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(case.look)
        await anyio.lowlevel.checkpoint()
        case.write(key + "max_tool_loops: 3\n")
    await case.look()
    assert [settings.service_api_key for settings in case.applied] == ["k", "k"]
