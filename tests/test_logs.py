"""A line of the log as JSON."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from werkzeugkoppler.logs import JsonLines, NamedLines, WithoutKeys, set_levels


def test_a_record_is_one_line_whatever_it_says() -> None:
    record = logging.makeLogRecord(
        {"name": "some.logger", "levelname": "INFO", "msg": "größer\n%s", "args": ("x",)}
    )
    line = JsonLines().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert told.pop("timestamp").endswith("+00:00")
    assert told == {"level": "INFO", "logger": "some.logger", "message": "größer\nx"}


def test_a_failure_is_told_with_its_traceback() -> None:
    try:
        raise ValueError("what failed")
    except ValueError:
        record = logging.makeLogRecord({"msg": "it failed", "exc_info": sys.exc_info()})
    assert "ValueError: what failed" in json.loads(JsonLines().format(record))["exc_info"]


def test_our_lines_name_their_level_and_logger_and_mitmproxys_stay() -> None:
    lines = NamedLines(logging.Formatter("[now] %(message)s"))
    ours = {"name": "werkzeugkoppler.reload", "levelname": "WARNING", "msg": "%s is gone", "args": ("x",)}
    assert lines.format(logging.makeLogRecord(ours)) == "[now] WARNING werkzeugkoppler.reload: x is gone"
    theirs = {"name": "mitmproxy.proxy.server", "levelname": "INFO", "msg": "connect"}
    assert lines.format(logging.makeLogRecord(theirs)) == "[now] connect"


@pytest.mark.contract("BX-17")
def test_keys_are_taken_out_of_lines_and_tracebacks() -> None:
    keys = WithoutKeys()
    keys.secrets = ("my-own-key",)
    try:
        raise ValueError("refused: my-own-key")
    except ValueError:
        record = logging.makeLogRecord(
            {"name": "a.library", "msg": "asked with %s", "args": ("my-own-key",), "exc_info": sys.exc_info()}
        )
    assert keys.filter(record)
    for formatter in (JsonLines(), NamedLines(logging.Formatter())):
        line = formatter.format(record)
        assert "my-own-key" not in line and "asked with [removed]" in line and "refused: [removed]" in line


@pytest.fixture
def levels() -> Iterator[None]:
    """Puts back the loggers' levels."""

    def loggers() -> list[logging.Logger]:
        known = logging.root.manager.loggerDict.values()
        return [logger for logger in known if isinstance(logger, logging.Logger)]

    before = {logger: logger.level for logger in loggers()}
    yield
    for logger in loggers():
        logger.setLevel(before.get(logger, logging.NOTSET))


@pytest.mark.usefixtures("levels")
@pytest.mark.parametrize(
    ("level", "watching"), [("DEBUG", "WARNING"), ("INFO", "WARNING"), ("ERROR", "ERROR")]
)
def test_a_log_beside_the_config_does_not_feed_itself(level: str, watching: str) -> None:
    set_levels(level)  # what watches the folder would tell of each line that the log gets
    assert logging.getLogger("watchfiles").level == logging.getLevelName(watching)
