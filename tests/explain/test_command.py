"""The command line of a dry run: what is sent, and its exit codes."""

import json
from pathlib import Path

import pytest

from tests.e2e.launch import free_url, write_config
from werkzeugkoppler import cli
from werkzeugkoppler.explain.command import main, request_body


def test_a_text_is_one_user_message() -> None:
    assert json.loads(request_body(b" Hello?\n")) == {"messages": [{"role": "user", "content": "Hello?"}]}
    assert json.loads(request_body(b"42"))["messages"][0]["content"] == "42"


@pytest.mark.parametrize("body", [b'{"messages": []}', b'{"broken'])
def test_what_is_or_is_meant_as_a_body_stays(body: bytes) -> None:
    assert request_body(body) == body


@pytest.mark.contract("BX-13")
def test_without_a_proxy_it_says_how_to_start_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_config(tmp_path, {"service_base_url": free_url(), "upstream_base_url": "demo"})
    assert cli.main(["explain", str(config), "--config", str(config)]) == 1
    told = capsys.readouterr().err
    assert "no proxy answers at" in told and "./run.sh" in told


def test_a_config_that_cannot_be_used_makes_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, {"upstream_base_ur": "demo"})
    assert main([str(config), "--config", str(config)]) == 2
    assert "upstream_base_url" in capsys.readouterr().err


def test_a_file_that_is_not_there_makes_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, {"upstream_base_url": "demo"})
    assert main(["no-such-file", "--config", str(config)]) == 1
    assert "no-such-file" in capsys.readouterr().err


def test_nothing_is_not_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_config(tmp_path, {"upstream_base_url": "demo"})
    (tmp_path / "nothing").write_text(" \n")
    assert main([str(tmp_path / "nothing"), "--config", str(config)]) == 2
    assert "nothing to explain" in capsys.readouterr().err
