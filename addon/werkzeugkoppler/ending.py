"""The end of the process: nothing that mitmproxy left running holds it up.

Where mitmproxy cannot write its log any more (`./run.sh | head`) it raises SystemExit in the middle of its
event loop. No task ends then, no addon's `done` is called, and the interpreter would wait for idle worker
threads for ever: a proxy that neither serves nor frees its port.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from werkzeugkoppler.tools.process import kill_all

GRACE_SECONDS = 1.0
"""From the main thread's end to that of the process: what ends by itself has done so by then."""
EXIT_BROKEN = 1
"""As mitmproxy exits that cannot write its log."""


def watch(is_closed: Callable[[], bool], grace_seconds: float = GRACE_SECONDS) -> None:
    """See that the process ends with its main thread.

    Args:
        is_closed: Whether all was closed as it should be: then nothing of ours is left that could hold it up.
    """
    # A daemon: it holds up no end itself.
    threading.Thread(target=_watch, args=(is_closed, grace_seconds), name="end", daemon=True).start()


def exit_at_once(code: int) -> NoReturn:
    """End the process with all that it started; nothing is waited for."""
    kill_all()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody may be there to read it
            stream.flush()
    os._exit(code)


def _watch(is_closed: Callable[[], bool], grace_seconds: float) -> None:
    threading.main_thread().join()
    if not is_closed():
        kill_all()
        time.sleep(grace_seconds)  # the writer of traces gets to what happened last
        exit_at_once(EXIT_BROKEN)
