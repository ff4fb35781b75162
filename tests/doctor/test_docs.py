"""The doctor's page has every check and every option."""

import re
from pathlib import Path

import pytest

from tests.test_features import FEATURES, listed_rows
from werkzeugkoppler.doctor.command import main
from werkzeugkoppler.doctor.probe.run import BLACK_BOX, SCRIPTED
from werkzeugkoppler.doctor.probe.verdict import AnyExperiment

PAGE = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")


def test_the_page_shows_every_check_in_its_order() -> None:
    expected = [(check.name, check.row) for experiment in SCRIPTED for check in experiment.checks]
    shown = re.findall(r"^ok    (.+?) {2,}([A-Z]{2}-\d+) ", PAGE, re.MULTILINE)
    assert shown[0] == ("the gateway can be asked", "BX-19")
    assert shown[1:] == expected


@pytest.mark.parametrize("experiments", [BLACK_BOX, SCRIPTED], ids=["black box", "scripted"])
def test_no_two_checks_have_one_name(experiments: tuple[AnyExperiment, ...]) -> None:
    names = [check.name for experiment in experiments for check in experiment.checks]
    assert len(names) == len(set(names))


def test_the_page_has_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert {option for option in options if f"`{option}" not in PAGE and f" {option}" not in PAGE} == set()


def test_each_check_stands_for_a_listed_feature() -> None:
    listed = set(listed_rows(FEATURES.read_text(encoding="utf-8")))
    rows = {check.row for experiment in (*SCRIPTED, *BLACK_BOX) for check in experiment.checks}
    assert rows <= listed
