"""The command line of the doctor: what it prints, and its exit codes."""

import json
import socket
from pathlib import Path

import pytest

from tests.e2e.declared import HELLO
from tests.e2e.launch import NOWHERE, free_url, write_config
from werkzeugkoppler import cli
from werkzeugkoppler.doctor.command import main


@pytest.mark.contract("BX-19")
def test_what_is_not_well_makes_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = [HELLO | {"command": "no-such-program"}]
    broken = {"service_base_url": free_url(), "upstream_base_url": NOWHERE, "actions": missing}
    assert main(["--config", str(write_config(tmp_path, broken)), "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [f["name"] for f in findings if f["outcome"] == "FAIL"] == ["upstream", "action hello"]


def test_a_variable_that_sets_nothing_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WERKZEUGKOPPLER_UPSTREAM_KEY", "sk-slipped")
    monkeypatch.setenv("WERKZEUGKOPPLER_DOCTOR_KEY", "sk-of-a-gateway")
    config = write_config(tmp_path, {"service_base_url": free_url(), "upstream_base_url": "demo"})
    assert main(["--config", str(config)]) == 0
    output = capsys.readouterr().out
    assert "WERKZEUGKOPPLER_UPSTREAM_KEY sets nothing" in output
    assert "DOCTOR_KEY" not in output and "sk-" not in output


@pytest.mark.contract("BX-19")
def test_a_config_that_cannot_be_used_makes_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, {"upstream_base_ur": NOWHERE, "max_tool_loops": "many"})
    assert main(["--config", str(config)]) == 2
    output = capsys.readouterr().out
    assert "did you mean upstream_base_url?" in output and "max_tool_loops" in output
    assert f"{config}:" in output


def test_a_gateway_that_is_not_there_makes_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--probe", NOWHERE]) == 1
    assert capsys.readouterr().out.startswith("FAIL  the gateway can be asked")


def test_a_port_that_is_taken_makes_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["--probe", NOWHERE, "--upstream-port", port]) == 1
    assert capsys.readouterr().out.startswith("FAIL  the probe runs")


def test_a_word_that_is_missing_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--probe"])
    assert "--probe URL" in capsys.readouterr().err


def test_the_launcher_has_it_as_a_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["doctor", "--help"])
    assert end.value.code == 0 and "--probe URL" in capsys.readouterr().out
