"""What a child writes to stderr arrives as lines."""

import anyio
import anyio.lowlevel
import anyio.to_thread

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


async def test_a_long_line_is_cut_and_not_kept_until_its_end() -> None:
    lines: list[str] = []
    with anyio.fail_after(5):
        async with log_pipe(lines.append) as writing:
            writing.write("x" * 3 * MAX_LINE_BYTES)
            writing.flush()
            while not lines:
                await anyio.lowlevel.checkpoint()
            assert lines == ["x" * MAX_LINE_BYTES + " ..."]
            writing.write("y\nnext\n")
            writing.flush()
            while len(lines) < 2:
                await anyio.lowlevel.checkpoint()
    assert lines[1:] == ["next"]


async def test_a_flood_of_lines_is_bounded_and_what_is_missing_is_counted() -> None:
    lines: list[str] = []
    with anyio.fail_after(5):
        async with log_pipe(lines.append) as writing:
            await anyio.to_thread.run_sync(writing.write, "flood\n" * 100_000)
            await anyio.to_thread.run_sync(writing.flush)
            while not any("left out" in line for line in lines):
                await anyio.lowlevel.checkpoint()
    assert lines.count("flood") < 10_000
