"""What a child writes to stderr arrives as lines."""

import anyio
import anyio.lowlevel

from werkzeugkoppler.tools.log_pipe import MAX_LINE_BYTES, log_pipe


async def lines_of(text: str, count: int) -> list[str]:
    """What becomes of a text, once there are so many lines."""
    lines: list[str] = []
    with anyio.fail_after(5):
        async with log_pipe(lines.append) as writing:
            with writing:
                writing.write(text)
            while len(lines) < count:
                await anyio.lowlevel.checkpoint()
    return lines


async def test_lines_arrive_without_their_ends_and_blank_ones_not_at_all() -> None:
    assert await lines_of("one\r\n\n \ntwo\n", 2) == ["one", "two"]


async def test_a_last_line_without_an_end_arrives_when_the_child_is_gone() -> None:
    assert await lines_of("one\ntwo", 2) == ["one", "two"]


async def test_a_long_line_is_not_kept_until_its_end() -> None:
    text = "x" * (MAX_LINE_BYTES + 1)
    lines: list[str] = []
    with anyio.fail_after(5):
        async with log_pipe(lines.append) as writing:
            writing.write(text)
            writing.flush()
            while "".join(lines) != text:
                await anyio.lowlevel.checkpoint()
