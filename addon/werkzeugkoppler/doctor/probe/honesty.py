"""What a gateway has no reason to change arrives as it was sent (BX-07)."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from werkzeugkoppler.doctor.probe import judges
from werkzeugkoppler.doctor.probe.basics import WITH_USAGE
from werkzeugkoppler.doctor.probe.lab import Lab
from werkzeugkoppler.doctor.probe.script import completion, event, framed, head, says, whole
from werkzeugkoppler.doctor.probe.scripted import Asked, Piece, Reply
from werkzeugkoppler.doctor.probe.transcript import Transcript, Whole
from werkzeugkoppler.doctor.probe.verdict import AnyExperiment, Check, Experiment, Fault, single

UNKNOWN = {"x_doctor": '{"b": 1, "a": [true, null]}', "x_other": '["doctor"]'}
"""Fields of a request that no gateway knows, as they are written."""
NUMBERS = {"temperature": "1.50", "top_p": "1e-1", "seed": "9007199254740993", "presence_penalty": "0.10"}
"""Numbers in forms that do not survive being read and written again."""
ESCAPED = r"Gr\u00fc\u00dfe \/ \ud83c\udf0d"
"""Characters as some clients write them."""
ESCAPES = (r"\u00fc", r"\/", r"\ud83c\udf0d")

TEXT = "Grüße an die 🌍, 你好"
REASONING = "First, I think about it. "


async def _request(lab: Lab) -> Asked:
    with lab.scene(says("Hello.")) as scene:
        fields = "".join(f', "{key}": {value}' for key, value in (UNKNOWN | NUMBERS).items())
        model = "" if lab.model is None else f'"model": {json.dumps(lab.model)}, '
        message = f'{{"content": "{scene.prompt} {ESCAPED}", "role": "user"}}'
        body = f'{{{model}"messages": [{message}]{fields}}}'
        judges.is_completion(await lab.gateway.chat(body.encode()))
        if not scene.asked:
            raise Fault("the upstream was not asked")
        return scene.asked[0]


def _unknown_kept(asked: Asked) -> str:
    lost = [key for key, value in UNKNOWN.items() if asked.json.get(key) != json.loads(value)]
    if lost:
        raise Fault(f"lost or changed: {', '.join(lost)}")
    return ", ".join(UNKNOWN)


def _numbers_kept(asked: Asked) -> str:
    written = asked.raw.decode("utf-8", "replace")
    changed = [
        f"{key} {value} became {json.dumps(asked.json.get(key))}"
        for key, value in NUMBERS.items()
        if f'"{key}": {value}' not in written and f'"{key}":{value}' not in written
    ]
    if changed:
        raise Fault(", ".join(changed))
    return ", ".join(NUMBERS.values())


def _escapes_kept(asked: Asked) -> str:
    changed = [form for form in ESCAPES if form.encode() not in asked.raw]
    if changed:
        raise Fault(f"written in another way: {', '.join(changed)}")
    return ", ".join(ESCAPES)


def _vendor_event(asked: Asked) -> bytes:
    """A chunk with unknown fields, odd spaces and odd numbers."""
    start = json.dumps({**head(asked), "object": "chat.completion.chunk"})[:-1]
    choice = '{"index":0, "delta":{"content":"Hello.","x_delta":1.50},"logprobs":null,"finish_reason":null}'
    return f'data: {start},"x_doctor" : {{"b":1e2,"a":0.10}},"choices":[{choice}]}}\n\n'.encode()


class Sent(NamedTuple):
    """A stream, and the events with text that the upstream sent."""

    stream: Transcript
    events: Sequence[bytes]


async def _chunks(lab: Lab) -> Sent:
    sent: list[bytes] = []

    def respond(asked: Asked) -> Reply:
        sent[:] = [_vendor_event(asked), event(_text_chunk(asked, "Bye."))]
        return Reply(framed(asked, sent))

    with lab.scene(respond) as scene:
        stream = await lab.gateway.transcript(lab.stream(scene, **WITH_USAGE))
        return Sent(judges.accepted(stream), sent)


def _unknown_in_chunks(sent: Sent) -> str:
    if not any(chunk.get("x_doctor") == {"b": 100.0, "a": 0.1} for chunk in sent.stream.chunks):
        raise Fault("x_doctor is lost or changed")
    if not any(delta.get("x_delta") == 1.5 for delta in sent.stream.deltas):
        raise Fault("x_delta is lost or changed")
    return "x_doctor, x_delta"


def _bytes_of_chunks(sent: Sent) -> str:
    changed = [data for data in sent.events if data not in sent.stream.raw]
    if changed:
        raise Fault(f"{len(changed)} of {len(sent.events)} events were written anew")
    return f"{len(sent.events)} events as they were sent"


async def _split(lab: Lab) -> Transcript:
    """A stream that is cut within each of its characters that has several bytes."""

    def respond(asked: Asked) -> Reply:
        pieces: list[Piece] = []
        for piece in framed(asked, [event(_text_chunk(asked, TEXT))]):
            pieces += _cut(piece) if isinstance(piece, bytes) else [piece]
        return Reply(pieces)

    with lab.scene(respond) as scene:
        return judges.accepted(await lab.gateway.transcript(lab.stream(scene)))


PAUSE_SECONDS = 0.01
"""Between two halves, so that they do not arrive together."""


def _cut(data: bytes) -> list[Piece]:
    """The bytes in pieces that begin within a character, or with the second half of an event's end."""
    places = [at for at in range(1, len(data)) if data[at] & 0xC0 == 0x80 or data[at - 1 : at + 1] == b"\n\n"]
    edges = [0, *places, len(data)]
    pieces: list[Piece] = []
    for start, end in zip(edges, edges[1:], strict=False):
        pieces += [data[start:end], PAUSE_SECONDS]
    return pieces


def _text_chunk(asked: Asked, text: str, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text, **more}, "finish_reason": None}
    return {**head(asked), "object": "chat.completion.chunk", "choices": [choice]}


async def _reasoning(lab: Lab) -> Transcript:
    def respond(asked: Asked) -> Reply:
        thought = _text_chunk(asked, "")
        thought["choices"][0]["delta"] = {"reasoning_content": REASONING}
        return Reply(framed(asked, [event(thought), event(_text_chunk(asked, "Hello."))]))

    with lab.scene(respond) as scene:
        return judges.accepted(await lab.gateway.transcript(lab.stream(scene)))


def _reasoning_kept(stream: Transcript) -> str:
    if stream.joined("reasoning_content") != REASONING:
        raise Fault(f"reasoning_content is {stream.joined('reasoning_content')!r}")
    if stream.text != "Hello.":
        raise Fault(f"the text is {stream.text!r}")
    return "reasoning_content, apart from the text"


async def _plain(lab: Lab) -> Whole:
    def respond(asked: Asked) -> Reply:
        made = completion(asked, {"content": "Hello.", "x_message": "kept"}).pieces[0]
        assert isinstance(made, bytes)
        return whole(made[:-1] + b', "x_doctor": 1.50}')

    with lab.scene(respond) as scene:
        return await lab.gateway.chat(lab.ask(scene))


def _plain_kept(answer: Whole) -> str:
    judges.is_completion(answer)
    if answer.json.get("x_doctor") != 1.5 or answer.json["choices"][0]["message"].get("x_message") != "kept":
        raise Fault("x_doctor or x_message is lost")
    if b'"x_doctor": 1.50' not in answer.body and b'"x_doctor":1.50' not in answer.body:
        raise Fault("1.50 was written anew")
    return "x_doctor 1.50, x_message"


_TEXTS = (("A1 ", "A2"), ("B1 ", "B2"))
"""Of two choices, each in the pieces that take turns."""


async def _choices(lab: Lab) -> Transcript:
    """Ask for two answers; the upstream gives as many as the gateway asked it for."""

    def respond(asked: Asked) -> Reply:
        texts = _TEXTS if asked.json.get("n") == 2 else _TEXTS[:1]
        chunks = [
            _of_choice(asked, index, {"content": text})
            for pair in zip(*texts, strict=True)
            for index, text in enumerate(pair)
        ]
        ends = [_of_choice(asked, index, {}, "stop") for index in range(len(texts))]
        return Reply(framed(asked, [*chunks, *ends], None))

    with lab.scene(respond) as scene:
        return judges.accepted(await lab.gateway.transcript(lab.stream(scene, n=2)))


def _of_choice(asked: Asked, index: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return event({**head(asked), "object": "chat.completion.chunk", "choices": [choice]})


def _unmixed(stream: Transcript) -> str:
    texts: dict[int, str] = {}
    for choice in stream.choices:
        content = (choice.get("delta") or {}).get("content") or ""
        texts[choice.get("index", 0)] = texts.get(choice.get("index", 0), "") + content
    expected = {index: "".join(parts) for index, parts in enumerate(_TEXTS)}
    if not texts or any(text != expected.get(index) for index, text in texts.items()):
        raise Fault(f"the texts are {texts}")
    return "one choice" if len(texts) == 1 else "two choices, apart"


SCRIPTED: tuple[AnyExperiment, ...] = (
    Experiment(
        _request,
        (
            Check("unknown fields of a request reach the model server", "BX-07", _unknown_kept),
            Check("numbers of a request stay as they are written", "BX-07", _numbers_kept),
            Check("escapes of a request stay as they are written", "BX-07", _escapes_kept),
        ),
    ),
    Experiment(
        _chunks,
        (
            Check("unknown fields of chunks reach the client", "WK-128", _unknown_in_chunks),
            Check("chunks stay byte for byte", "BX-07", _bytes_of_chunks),
        ),
    ),
    single("a plain answer stays as it is", "WK-03", _plain, _plain_kept),
    single("a stream cut within characters", "BX-07", _split, judges.text_is(TEXT)),
    single("reasoning reaches the client as such", "WK-128", _reasoning, _reasoning_kept),
    single("two choices are not mixed", "WK-123", _choices, _unmixed),
)
