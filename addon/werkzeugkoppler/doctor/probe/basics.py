"""What every gateway has to do, whatever model is behind it."""

from typing import NamedTuple

from anyio import current_time

from werkzeugkoppler.doctor.probe import judges
from werkzeugkoppler.doctor.probe.gateway import CHAT_PATH
from werkzeugkoppler.doctor.probe.lab import Lab
from werkzeugkoppler.doctor.probe.script import says
from werkzeugkoppler.doctor.probe.transcript import Transcript, Whole
from werkzeugkoppler.doctor.probe.verdict import AnyExperiment, Check, Experiment, Fault, Skip, single

QUESTION = "Write the numbers from one to twenty as words, with a comma between them."
"""For a model that is not ours: long enough to come in several pieces."""
TEXT = ("Hel", "lo.")
WITH_USAGE = {"stream_options": {"include_usage": True}}
WRONG_KEY = "sk-wrong-key-of-doctor"


async def _models(lab: Lab) -> Whole:
    return await lab.gateway.ask("GET", "/v1/models")


def _lists_models(answer: Whole) -> str:
    try:
        names = [model["id"] for model in answer.json["data"]]
    except (LookupError, TypeError):
        raise Fault(f"status {answer.status}, no list of models") from None
    return f"{len(names)}: {', '.join(map(str, names[:3]))}"


async def _plain(lab: Lab) -> Whole:
    if lab.upstream is None:
        return await lab.gateway.chat(lab.body(QUESTION))
    with lab.scene(says(*TEXT)) as scene:
        return await lab.gateway.chat(lab.ask(scene))


async def _streamed(lab: Lab) -> Transcript:
    return await _stream(lab, **WITH_USAGE)


async def _streamed_without_usage(lab: Lab) -> Transcript:
    return await _stream(lab)


async def _stream(lab: Lab, **fields: object) -> Transcript:
    if lab.upstream is None:
        return judges.accepted(await lab.gateway.transcript(lab.body(QUESTION, stream=True, **fields)))
    with lab.scene(says(*TEXT)) as scene:
        return judges.accepted(await lab.gateway.transcript(lab.stream(scene, **fields)))


class Growth(NamedTuple):
    """How an answer grew, for a model that cannot be held up."""

    at_first: int
    """Deltas with text when the first was seen."""
    in_all: int
    seconds: float
    """From the first delta to the end."""


async def _growth(lab: Lab) -> Growth:
    async with lab.gateway.stream(lab.body(QUESTION, stream=True)) as stream:
        await stream.until(lambda seen: seen.text or seen.done)
        at_first, began = _texts(stream.so_far), current_time()
        whole = judges.accepted(await stream.rest())
        return Growth(at_first, _texts(whole), current_time() - began)


def _texts(stream: Transcript) -> int:
    return sum(bool(delta.get("content")) for delta in stream.deltas)


def _grows(growth: Growth) -> str:
    if growth.in_all < 2:
        raise Skip(f"the answer is {growth.in_all} delta")
    if growth.at_first == growth.in_all:
        raise Fault(f"all {growth.in_all} deltas came at once, at the end")
    return f"the first of {growth.in_all} deltas {growth.seconds:.1f} s before the end"


async def _leave(lab: Lab) -> float:
    """Leave a stream, and see how long the next chat takes."""
    async with lab.gateway.stream(lab.body(QUESTION, stream=True)) as stream:
        await stream.until(lambda seen: seen.text)
    began = current_time()
    judges.is_completion(await lab.gateway.chat(lab.body()))
    return current_time() - began


async def _bad_json(lab: Lab) -> Whole:
    return await lab.gateway.ask("POST", CHAT_PATH, b'{"model": ')


async def _without_messages(lab: Lab) -> Whole:
    return await lab.gateway.ask("POST", CHAT_PATH, {"model": lab.model or "any"})


async def _unknown_path(lab: Lab) -> Whole:
    return await lab.gateway.ask("GET", "/v1/no/such/path")


async def _wrong_key(lab: Lab) -> Whole:
    if lab.gateway.key is None:
        raise Skip("no --key was given")
    return await lab.gateway.ask("POST", CHAT_PATH, lab.body(), key=WRONG_KEY)


EVERYWHERE: tuple[AnyExperiment, ...] = (
    single("models are listed", "WK-01", _models, _lists_models),
    Experiment(
        _plain,
        (
            Check("a plain chat is a completion", "WK-03", judges.is_completion),
            Check("a plain chat has usage", "WK-141", judges.usage_of),
        ),
    ),
    Experiment(
        _streamed,
        (
            Check("a stream is marked as one", "WK-122", judges.marked_as_stream),
            Check("a stream is nothing but events", "WK-124", judges.only_events),
            Check("a stream has the text", "WK-04", judges.some_text),
            Check("one id on all chunks", "BX-01", judges.one_id),
            Check("one model on all chunks", "BX-01", judges.one_model),
            Check("one time on all chunks", "BX-01", judges.one_time),
            Check("one role delta", "BX-01", judges.one_role),
            Check("one finish_reason", "BX-01", judges.one_finish),
            Check("one [DONE]", "BX-01", judges.one_end_mark),
            Check("one usage chunk, when asked for", "BX-06", judges.one_usage),
        ),
    ),
    single("no usage chunk, when not asked for", "BX-06", _streamed_without_usage, judges.no_usage),
    single("bad JSON is refused", "WK-152", _bad_json, judges.refused_with(400)),
    single("a chat without messages is refused", "WK-152", _without_messages, judges.refused_with(400, 422)),
    single("an unknown path is refused", "WK-08", _unknown_path, judges.refused_with(404)),
    single("a wrong key is refused", "OW-06", _wrong_key, judges.refused_with(401, 403)),
)
"""Run in both modes."""

BLACK_BOX: tuple[AnyExperiment, ...] = (
    single("a stream comes as it is written", "WK-125", _growth, _grows),
    single("the next chat is answered after a client left", "BX-05", _leave, lambda s: f"after {s:.1f} s"),
)
"""Run where the model behind the gateway is not ours: with it the same is seen better."""
