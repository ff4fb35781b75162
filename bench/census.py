"""A script for mitmproxy that notes, once a second, how much the proxy's process holds.

Each line of the file that `BENCH_CENSUS` names is a JSON object: `tasks` of the event loop, and `objects`
that the garbage collector knows.
"""

import asyncio
import gc
import json
import os

_SECONDS = 1.0


class Census:
    """The counting, for as long as the proxy runs."""

    def running(self) -> None:
        self._file = open(os.environ["BENCH_CENSUS"], "w", encoding="utf-8")
        self._count()

    def _count(self) -> None:
        line = {"tasks": len(asyncio.all_tasks()), "objects": len(gc.get_objects())}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        self._timer = asyncio.get_running_loop().call_later(_SECONDS, self._count)

    def done(self) -> None:
        self._timer.cancel()
        self._file.close()


addons = [Census()]
