"""Lines of a program that writes too many are left out, and counted."""

import anyio
import anyio.lowlevel

from werkzeugkoppler.tools.line_limit import LineLimit


async def test_lines_beyond_the_limit_are_left_out_and_counted_at_the_end() -> None:
    lines: list[str] = []
    limit = LineLimit(lines.append, lines=2, seconds=3600)
    for number in range(5):
        limit.say(str(number))
    limit.end()
    assert lines == ["0", "1", "... 3 lines left out"]


async def test_where_nothing_was_left_out_nothing_is_told() -> None:
    lines: list[str] = []
    limit = LineLimit(lines.append, lines=2, seconds=3600)
    limit.say("one")
    limit.end()
    assert lines == ["one"]


async def test_a_window_ends_by_itself_and_lines_are_said_again() -> None:
    lines: list[str] = []
    limit = LineLimit(lines.append, lines=1, seconds=0.01)
    limit.say("one")
    limit.say("two")
    with anyio.fail_after(5):
        while len(lines) < 2:
            await anyio.lowlevel.checkpoint()
    limit.say("three")
    assert lines == ["one", "... 1 lines left out", "three"]
