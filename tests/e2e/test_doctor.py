"""`./run.sh doctor`, as a process: on this install, on our own proxy, on any gateway."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.declared import HELLO
from tests.e2e.launch import (
    SERVICE_KEY,
    UPSTREAM_KEY,
    Command,
    free_port,
    free_url,
    write_config,
)
from tests.e2e.proxy import Proxy, ended, running
from tests.fakes.upstream import Upstream

DOCTOR = (sys.executable, "-O", "-m", "werkzeugkoppler.doctor")
SELF_SECONDS = 35.0
"""It starts a proxy of its own, which takes a busy machine most of this time."""
ENVIRON = Command(environ={"WERKZEUGKOPPLER_DOCTOR_KEY": SERVICE_KEY})


async def examined(folder: Path, settings: dict[str, Any], *arguments: str) -> tuple[int, str]:
    """The exit code and the output of an examination of a config."""
    config = write_config(folder, {"service_base_url": free_url(), **settings})
    return await ended(folder, [*DOCTOR, "--config", str(config), *arguments])


@pytest.mark.contract("BX-19")
async def test_an_install_that_is_well_is_told_so(upstream: Upstream, tmp_path: Path) -> None:
    settings = {"upstream_base_url": upstream.url, "actions": [HELLO]}
    code, output = await examined(tmp_path, settings)
    assert code == 0, output
    assert f"{upstream.url} has 1 model, such as fake-model" in output
    assert "action hello" in output and "FAIL" not in output
    assert not upstream.chats


@pytest.mark.contract("BX-19", "BX-17")
async def test_keys_are_not_shown(upstream: Upstream, tmp_path: Path) -> None:
    _, output = await examined(tmp_path, {"upstream_base_url": upstream.url}, "--json")
    assert upstream.requests[0].header("authorization") == f"Bearer {UPSTREAM_KEY}"
    assert json.loads(output)["ok"] is True
    assert UPSTREAM_KEY not in output and SERVICE_KEY not in output


async def test_a_proxy_that_runs_is_found_at_its_port(proxy: Proxy, tmp_path: Path) -> None:
    config = str(proxy.folder / "config.yaml")
    code, output = await ended(tmp_path, [*DOCTOR, "--config", config])
    assert code == 0, output
    assert f"werkzeugkoppler is running at {proxy.url}" in output


@pytest.mark.contract("BX-19")
async def test_our_own_proxy_passes_everything(tmp_path: Path) -> None:
    code, output = await ended(tmp_path, [*DOCTOR, "--self", "--json"], seconds=SELF_SECONDS)
    findings = json.loads(output)["findings"]
    assert [finding for finding in findings if finding["outcome"] != "ok"] == []
    assert code == 0 and len(findings) > 60


@pytest.mark.contract("BX-19")
async def test_a_gateway_is_probed_with_a_scripted_upstream(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "doctor").mkdir()
    async with running(tmp_path, f"http://127.0.0.1:{port}", {"stream_keepalive_seconds": 0.5}) as proxy:
        line = [*DOCTOR, "--probe", f"{proxy.url}/v1", "--upstream-port", str(port)]
        code, output = await ended(tmp_path / "doctor", line, ENVIRON)
    assert code == 0, output
    assert f"http://127.0.0.1:{port}/v1" in output
    assert "skip  no sign of a call of the gateway's tool" in output
    assert "FAIL" not in output
