"""What is found on the machine itself."""

from pathlib import Path
from typing import Any

import pytest

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.doctor.finding import Finding, Outcome
from werkzeugkoppler.doctor.machine import machine, packages, satisfies


def settings(**fields: Any) -> Settings:
    return Settings.model_validate({"upstream_base_url": "demo", **fields})


def found(name: str, findings: list[Finding]) -> Finding:
    (finding,) = (finding for finding in findings if finding.name == name)
    return finding


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("12.2.3", ">=12.2,<13", True),
        ("13", "<13,>=12.2", False),
        ("12.10", ">=12.2", True),
        ("12.2", ">=12.2.0", True),
        ("2.0.0rc1", ">=2", True),
        ("1.9", "==1.9", True),
        ("1.9", "!=1.9", False),
        ("1.9", "", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str, wanted: str, fits: bool) -> None:
    assert satisfies(version, wanted) is fits


def test_packages_that_do_not_fit_are_named() -> None:
    installed = {"mitmproxy": "13.0", "aiohttp": "3.14.5", "anyio": "4.0"}
    wanted = ["mitmproxy<13,>=12.2", "aiohttp<4,>=3.14", "anyio>=4.16", "mcp>=2", 'pytest>=9; extra == "dev"']
    host, others = packages(wanted, installed.get)
    assert (host.name, host.outcome, host.seen) == ("mitmproxy", Outcome.FAIL, "13.0, wanted is <13,>=12.2")
    assert others.seen == "anyio 4.0, wanted is >=4.16, mcp is missing, wanted is >=2"


def test_the_installed_packages_fit() -> None:
    findings = machine(settings(), {"HOME": "/"})
    assert found("mitmproxy", findings).outcome is Outcome.OK
    assert "aiohttp" in found("packages", findings).seen


def test_a_time_zone_is_shown_with_its_time() -> None:
    assert (
        "Europe/Berlin, where it is"
        in found("timezone", machine(settings(timezone="Europe/Berlin"), {})).seen
    )


def test_a_folder_for_traces_that_cannot_be_made_fails(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    findings = machine(settings(traces={"dir": str(file / "traces")}), {})
    assert found("traces", findings).outcome is Outcome.FAIL
    fine = machine(settings(traces={"dir": str(tmp_path / "a" / "b")}), {})
    assert found("traces", fine).outcome is Outcome.OK
    assert not (tmp_path / "a").exists()
