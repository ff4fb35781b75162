"""The page docs/performance.md: one run's table, the machine it ran on, and how to read it."""

import os
import platform
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version

from bench.figure import Failure, Figure
from bench.table import markdown

_PAGE = """\
# Performance

`./run.sh bench --write` measured this on {day}: {cores} cores, {system}, Python {python},
mitmproxy {mitmproxy}.

{table}

## How to read it

One upstream is asked on three ways, in turns within one run, and each value is a median:

- **direct**: the fake upstream itself, a raw socket server that answers canned bytes.
- **mitmdump**: plain mitmdump as a reverse proxy in front of it, told to stream bodies
  (`stream_large_bodies=1`), with its log and flow output off. It passes bytes on and does nothing else.
- **Werkzeugkoppler**: this proxy, as `run.sh` starts it, with everything on: a key to check, a system message
  to add, two actions and the tools of an MCP server to offer, traces to write. Its flow output is off too. It
  reads every event of a stream and decides about it.

A value with a sign is what the way adds to the direct one. **ratio** is Werkzeugkoppler over mitmdump: below
1 is better for times and memory, above 1 for rates. **aim** is held against the ratio; where it has a unit,
against Werkzeugkoppler's own value, or with a + against the difference to mitmdump.

The load generator and the upstream share one core and the measured proxy has another, where the machine has
two or more; starts are not pinned. Events are HTTP chunks of their own, as model servers send them; those of
slow streams (100 streams, 50 events a second each) carry the time at which they were sent. A proxy whose core
is full sends several events at once: then its delays are long and its CPU for an event is low. The memory is
that of the proxy's own process: an MCP server over stdio has its own. Times depend on the machine and on what
else it does; the ratios much less.

## Where the time goes

Profiles of the proxy's process during such runs say:

- **A plain chat**: what mitmdump spends on its own connection to the upstream, and on asking each addon about
  each event, is saved. The leg's own flow with its way through the addon chain and the HTTP client take about
  0.2 ms each of that back.
- **An event of a slow stream** comes alone, so nothing can be shared between events. Nearly half of its time
  is mitmproxy pulling it from the loopback source (an addon cannot stream a response that it makes), about
  37% is ours: reading it from the upstream, judging it, writing it to the source. Fast streams share these
  costs between the events of one read, and there the proxy is the faster one.
- **Delays of 100 slow streams** follow from that: 5000 events a second fill twice as much of a core as with
  plain mitmdump.
- **Memory**: importing the MCP SDK takes 25 MB, the HTTP client 8 MB, pydantic 4 MB. Who configures no MCP
  server does not load the SDK.
"""


def page(results: Sequence[Figure | Failure], day: date) -> str:
    """The whole page."""
    return _PAGE.format(
        day=day.isoformat(),
        cores=os.cpu_count(),
        system=platform.system(),
        python=platform.python_version(),
        mitmproxy=version("mitmproxy"),
        table=markdown(results),
    )
