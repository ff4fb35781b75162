"""A process of its own that ends: what is left running holds it up no longer than the grace."""

import subprocess
import sys

import pytest

from tests.e2e.launch import ADDON

PROGRAM = """
import sys, threading
from werkzeugkoppler import ending
threading.Thread(target=threading.Event().wait{arguments}).start()
ending.watch(lambda: {closed}, 0.05)
{end}
"""


def ended(end: str, *, closed: bool = False, arguments: str = "") -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(closed=closed, end=end, arguments=arguments)
    environ = {"PYTHONPATH": str(ADDON)}
    line = [sys.executable, "-c", program]
    return subprocess.run(line, env=environ, capture_output=True, text=True, timeout=10)


@pytest.mark.parametrize("end", ["sys.exit(1)", "raise OSError"])
def test_a_thread_that_never_ends_holds_up_no_end_that_came_amiss(end: str) -> None:
    assert ended(end).returncode == 1


def test_what_was_closed_as_it_should_be_ends_by_itself() -> None:
    done = ended("sys.exit(0)", closed=True, arguments=", args=(0.3,)")
    assert done.returncode == 0


def test_what_it_started_ends_with_it() -> None:
    # The child holds its output open: it is at an end only once both are gone.
    child = "subprocess.Popen(['sleep', '60'], start_new_session=True)"
    done = ended(f"import subprocess; from werkzeugkoppler.tools import process; process.led({child}.pid)")
    assert done.returncode == 1


def test_an_output_that_nobody_reads_holds_up_no_end() -> None:
    end = "import os; r, w = os.pipe(); os.close(r); os.dup2(w, 1); print('x'); ending.exit_at_once(130)"
    assert ended(end).returncode == 130
