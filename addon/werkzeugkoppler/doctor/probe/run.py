"""Run the experiments on a gateway, one after the other, and give what they found."""

from collections.abc import AsyncIterator, Iterator

from anyio import fail_after

from werkzeugkoppler.doctor.finding import Finding, Outcome
from werkzeugkoppler.doctor.probe import basics, failures, honesty, memory, repairs, timing, tools
from werkzeugkoppler.doctor.probe.lab import Lab
from werkzeugkoppler.doctor.probe.verdict import AnyExperiment, Check, Fault, Skip
from werkzeugkoppler.doctor.words import in_words

BLACK_BOX: tuple[AnyExperiment, ...] = (*basics.EVERYWHERE, *basics.BLACK_BOX, *tools.BLACK_BOX)
"""Whatever answers behind the gateway."""

SCRIPTED: tuple[AnyExperiment, ...] = (
    *basics.EVERYWHERE,
    *timing.SCRIPTED,
    *tools.SCRIPTED,
    *memory.SCRIPTED,
    *repairs.SCRIPTED,
    *honesty.SCRIPTED,
    *failures.SCRIPTED,
)
"""Where the gateway's upstream is ours."""


async def probe(lab: Lab, timeout: float) -> AsyncIterator[Finding]:
    """The findings, as they come.

    Args:
        timeout: Seconds for one experiment.
    """
    for experiment in BLACK_BOX if lab.upstream is None else SCRIPTED:
        for finding in await _findings(experiment, lab, timeout):
            yield finding


async def _findings(experiment: AnyExperiment, lab: Lab, timeout: float) -> list[Finding]:
    try:
        with fail_after(timeout):
            observed = await experiment.observe(lab)
    except Skip as skip:
        return list(_all(experiment, Outcome.SKIP, str(skip)))
    except Fault as fault:
        return list(_all(experiment, Outcome.FAIL, str(fault)))
    except TimeoutError:
        return list(_all(experiment, Outcome.FAIL, f"no end within {timeout:g} s"))
    except Exception as error:  # boundary: whatever a foreign gateway does is a finding
        return list(_all(experiment, Outcome.FAIL, in_words(error)))
    return [_judged(check, observed) for check in experiment.checks]


def _all(experiment: AnyExperiment, outcome: Outcome, seen: str) -> Iterator[Finding]:
    for check in experiment.checks:
        yield Finding(check.name, outcome, seen, row=check.row)


def _judged[T](check: Check[T], observed: T) -> Finding:
    try:
        return Finding(check.name, Outcome.OK, check.judge(observed), row=check.row)
    except Skip as skip:
        return Finding(check.name, Outcome.SKIP, str(skip), row=check.row)
    except Fault as fault:
        return Finding(check.name, Outcome.FAIL, str(fault), row=check.row)
    except Exception as error:  # boundary: an answer whose shape nobody thought of
        seen = f"it cannot be judged, {type(error).__name__}: {error}"
        return Finding(check.name, Outcome.FAIL, seen, row=check.row)
