"""Bytes that nobody meant are read, or refused with the errors that are told, and in no other way.

Hypothesis makes them, of what each reader looks for and of good input gone wrong; `--slow` runs them, in
about a minute.
"""

import json
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.e2e.declared import WEATHER
from tests.fakes.chunks import DONE, Call, calls_chunks, calls_completion
from tests.fakes.garble import garbled
from tests.properties.meant import SIZES, pieces
from tests.turn.relaying import IDENTITY, is_ours, new_answer
from werkzeugkoppler.config.load import load
from werkzeugkoppler.errors import ApiError, ConfigError, UpstreamError
from werkzeugkoppler.turn.collect import PlainAnswer
from werkzeugkoppler.wire.assemble import MessageAssembler
from werkzeugkoppler.wire.chat import parse_request
from werkzeugkoppler.wire.jsontext import JsonObject, dumps
from werkzeugkoppler.wire.sse import SseEvent, SseReader

pytestmark = pytest.mark.slow

EXAMPLE: Final = Path(__file__).parents[2] / "config.yaml.full_example"
CALLS: Final = (Call("server__add", '{"a": 1}', "call_1"), Call("edit_file", "{}", "call_2"))
REQUEST: Final[dict[str, Any]] = {
    "model": "m",
    "stream": True,
    "stream_options": {"include_usage": True},
    "tools": [WEATHER],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hello?"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALLS[0].wire()]},
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
    ],
}

RANDOMS: Final = st.integers(0, 2**32).map(Random)
STREAM_PARTS: Final = (
    b"data: ",
    b"data:",
    b"data",
    b"\n",
    b"\r",
    b"\r\n",
    b":",
    b"error:",
    b"{}",
    b"\xef\xbb\xbf",
)
STREAMS: Final = st.lists(st.sampled_from(STREAM_PARTS) | st.binary(max_size=4), max_size=30).map(b"".join)
JSON_PARTS: Final = (
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\u",
    "\\",
    "\ud800",
    "1e999",
    "-0",
    "NaN",
    "null",
    " ",
)


def examples(number: int) -> settings:
    return settings(max_examples=number, suppress_health_check=list(HealthCheck))


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A text in which some characters are left out or put in."""
    text = draw(texts)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(JSON_PARTS)) + text[at + draw(st.integers(0, 3)) :]
    return text


def read(parts: list[bytes]) -> list[SseEvent]:
    reader = SseReader()
    return [found for part in parts for found in reader.feed(part)] + reader.close()


@examples(6000)
@given(STREAMS, SIZES)
def test_any_bytes_are_the_same_events_in_any_pieces(data: bytes, sizes: list[int]) -> None:
    events = read([data])
    assert read(pieces(data, sizes)) == events
    assume(b"\xef\xbb\xbf" not in data)  # byte order marks are taken out
    text = data.decode("utf-8", "replace").encode()  # bytes that are no UTF-8 are replaced
    raw = b"".join(found.raw for found in events)
    assert raw.startswith(text.rstrip())
    assert [found.data for found in read([raw]) if found.data] == [
        found.data for found in events if found.data
    ]


@examples(5000)
@given(damaged(RANDOMS.map(lambda random: json.dumps(garbled(random, REQUEST)))))
def test_any_request_is_read_or_refused(text: str) -> None:
    body = text.encode("utf-8", "surrogatepass")
    try:
        request = parse_request(body)
    except ApiError as error:
        assert error.status == 400 and json.loads(error.body())["error"]["code"]
        return
    assert request.body.values == json.loads(body)
    assert isinstance(request.last_user_text, str)
    assert (request.model, request.stream, request.include_usage, request.tool_names) is not None
    edited = request.body.edited({"model": dumps("other"), "stream": None, "new": "1"})
    assert JsonObject.parse(edited).values == {
        **{key: value for key, value in request.body.values.items() if key != "stream"},
        "model": "other",
        "new": 1,
    }


@examples(4000)
@given(RANDOMS)
def test_any_deltas_make_a_message_that_can_be_sent(random: Random) -> None:
    assembler = MessageAssembler(lambda: "made")
    for chunk in garbled(random, calls_chunks(*CALLS, text="x")[:-1]):
        choices = chunk.get("choices") if isinstance(chunk, dict) else None
        choice = choices[0] if isinstance(choices, list) and choices else None
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if isinstance(delta, dict):
            assembler.add(delta)
            items = delta.get("tool_calls")
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict):
                    assembler.add_call(item)
    for call in assembler.calls:
        assert assembler.ensure_id(call)
    assert json.loads(dumps(assembler.message()).encode())["role"] == "assistant"


@examples(4000)
@given(damaged(RANDOMS.map(lambda random: json.dumps(garbled(random, calls_chunks(*CALLS)))[1:-1])), SIZES)
def test_any_stream_is_an_answer_or_the_upstreams_failure(text: str, sizes: list[int]) -> None:
    blocks = text.encode("utf-8", "surrogatepass").split(b', {"id"')
    data = b"".join(b'data: {"id"' * (n > 0) + block + b"\n\n" for n, block in enumerate(blocks)) + DONE
    for answer in (new_answer(), PlainAnswer(is_ours=is_ours, identity=IDENTITY, new_id=str)):
        try:
            for found in read(pieces(data, sizes)):
                answer.take(found)
            answer.end_leg()
            assert answer.close()
        except UpstreamError as error:
            assert json.loads(error.body())


@examples(3000)
@given(damaged(RANDOMS.map(lambda random: json.dumps(garbled(random, calls_completion(*CALLS, text="x"))))))
def test_any_completion_is_an_answer_or_the_upstreams_failure(text: str) -> None:
    for answer in (new_answer(), PlainAnswer(is_ours=is_ours, identity=IDENTITY, new_id=str)):
        try:
            shown = answer.take_completion(text.encode("utf-8", "surrogatepass"))
            answer.end_leg()
            assert shown + answer.close()
        except UpstreamError as error:
            assert json.loads(error.body())


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "config.yaml"


@examples(600)
@given(RANDOMS, st.booleans(), st.data())
def test_any_config_is_read_or_refused_with_its_problems(
    config: Path, random: Random, as_text: bool, data: st.DataObject
) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    if as_text:
        start = data.draw(st.integers(0, len(text)))
        text = data.draw(damaged(st.just(text[start : start + 400])))
    else:
        text = yaml.safe_dump(garbled(random, yaml.safe_load(text)))
    config.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load(str(config), {})
    except ConfigError as error:
        assert error.problems and all(error.problems)
