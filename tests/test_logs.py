"""A line of the log as JSON."""

import json
import logging
import sys

from werkzeugkoppler.logs import JsonLines, NamedLines


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
