"""Where the addon fails, nothing gets through to the upstream."""

import shutil
from pathlib import Path

import aiohttp
import anyio
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import ADDON, SERVICE_KEY, Command, free_url, write_config
from tests.e2e.proxy import READY_SECONDS, spawned
from tests.fakes.answers import says
from tests.fakes.upstream import Upstream

BREAK_EVERY_FUNCTION = """

def _broken(*args, **kwargs):
    raise RuntimeError("broken for a test")


for _name, _value in list(globals().items()):
    if getattr(_value, "__module__", None) == __name__ and _name != "_broken":
        globals()[_name] = _broken
"""


def broken_copy(folder: Path, file: str, addition: str) -> Path:
    """A copy of the addon with something added at the end of one of its files."""
    copy = folder / "addon"
    shutil.copytree(ADDON, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / file).open("a", encoding="utf-8") as source:
        source.write(addition)
    return copy


async def statuses(folder: Path, upstream: Upstream, addon: Path, plain: bool) -> list[int]:
    """What chats get; empty where the proxy ends instead of answering.

    Plain mitmdump is pointed at the upstream itself: without the addon it would ask it.
    """
    url = free_url()
    config = write_config(folder, {"service_base_url": url, "upstream_base_url": upstream.url})
    command = Command(plain=plain, addon=addon, target=upstream.url)
    line = command.line(config, int(url.rpartition(":")[2]))
    async with spawned(folder, line, command) as process, aiohttp.ClientSession(url) as session:
        client = Client(session, SERVICE_KEY)
        with anyio.fail_after(READY_SECONDS):
            while process.returncode is None:
                try:
                    return [(await client.chat(stream=stream)).status for stream in (False, True)]
                except aiohttp.ClientError:
                    await anyio.sleep(0.05)
    return []


@pytest.mark.parametrize(
    "plain, file",
    [(True, "main.py"), (True, "werkzeugkoppler/proxy.py"), (False, "werkzeugkoppler/proxy.py")],
)
async def test_an_addon_that_cannot_be_loaded_lets_nothing_through(
    upstream: Upstream, tmp_path: Path, plain: bool, file: str
) -> None:
    addon = broken_copy(tmp_path, file, "\nraise RuntimeError('broken for a test')\n")
    assert all(status >= 500 for status in await statuses(tmp_path, upstream, addon, plain))
    assert not upstream.requests


@pytest.mark.contract("OW-52")
@pytest.mark.parametrize("plain", [False, True], ids=["launcher", "mitmdump"])
@pytest.mark.parametrize("file", ["gate/auth.py", "gate/limits.py", "endpoints/routes.py", "wire/chat.py"])
async def test_a_hook_in_which_something_raises_lets_nothing_through(
    upstream: Upstream, tmp_path: Path, plain: bool, file: str
) -> None:
    addon = broken_copy(tmp_path, f"werkzeugkoppler/{file}", BREAK_EVERY_FUNCTION)
    assert all(status >= 500 for status in await statuses(tmp_path, upstream, addon, plain))
    assert not upstream.requests


async def test_an_unbroken_copy_works(upstream: Upstream, tmp_path: Path) -> None:
    """Or the tests above would show nothing."""
    upstream.script(says("Hello."), says("Hello."))
    addon = broken_copy(tmp_path, "main.py", "")
    assert await statuses(tmp_path, upstream, addon, plain=True) == [200, 200]
