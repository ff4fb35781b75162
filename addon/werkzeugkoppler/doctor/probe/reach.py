"""Whether there is a gateway at all, and whether the scripted upstream is behind it."""

import aiohttp
from anyio import move_on_after, sleep

from werkzeugkoppler.doctor.finding import Finding, Outcome
from werkzeugkoppler.doctor.probe.lab import Lab
from werkzeugkoppler.doctor.probe.script import says
from werkzeugkoppler.doctor.probe.transcript import Whole
from werkzeugkoppler.doctor.words import in_words

TRY_SECONDS = 0.5
"""Between two looks for a gateway that is being started."""
NAME = "the gateway can be asked"
ROW = "BX-19"


async def reached(lab: Lab, seconds: float) -> Finding:
    """Ask for a chat, again and again where the upstream is ours, until it comes through."""
    seen = "it did not answer"
    with move_on_after(seconds):
        while True:
            outcome, seen = await (_asked(lab) if lab.upstream is None else _through(lab))
            if outcome is Outcome.OK or lab.upstream is None:
                return Finding(NAME, outcome, seen, row=ROW)
            await sleep(TRY_SECONDS)
    return Finding(NAME, Outcome.FAIL, f"{seen}, for {seconds:g} s", row=ROW)


async def _asked(lab: Lab) -> tuple[Outcome, str]:
    try:
        answer = await lab.gateway.ask("GET", "/v1/models")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Outcome.FAIL, in_words(error)
    if answer.status in (401, 403):
        return Outcome.FAIL, f"status {answer.status}: it wants another --key"
    return Outcome.OK, f"the model is {lab.model or 'whatever it takes'}"


async def _through(lab: Lab) -> tuple[Outcome, str]:
    with lab.scene(says("Hello.")) as scene:
        try:
            answer = await lab.gateway.chat(lab.ask(scene))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome.FAIL, in_words(error)
        if scene.asked:
            return Outcome.OK, "the scripted model server was asked"
        return Outcome.FAIL, f"it did not ask our model server, and answered {_shown(answer)}"


def _shown(answer: Whole) -> str:
    return f"{answer.status}: {answer.text[:80]}"
