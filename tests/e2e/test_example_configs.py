"""The examples of configs start the proxy as they are, but for its address and its upstream."""

import os
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.client import Client
from tests.e2e.launch import ROOT, Command, free_url
from tests.e2e.proxy import serving
from tests.fakes.answers import says
from tests.fakes.upstream import Upstream


@pytest.mark.contract("WK-155")
@pytest.mark.parametrize("example", ["config.yaml.min_example", "config.yaml.full_example"])
async def test_an_example_starts_and_answers(
    example: str, shared_upstream: Upstream, upstream: Upstream, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "npx").symlink_to("/bin/false")  # the example's server would be fetched from its registry
    url = free_url()
    environ = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "WERKZEUGKOPPLER_SERVICE_BASE_URL": url,
        "WERKZEUGKOPPLER_UPSTREAM_BASE_URL": shared_upstream.url,
    }
    command = Command(environ=environ)
    upstream.script(says("Hello."))
    async with (
        serving(tmp_path, url, command.line(ROOT / example, 0), command),
        aiohttp.ClientSession(url) as s,
    ):
        assert (await Client(s).transcript()).text == "Hello."
