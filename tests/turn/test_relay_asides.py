"""What is not the upstream's stands in the one message all the same."""

from typing import Any

import pytest

from tests.fakes.chunks import Call, calls_chunks, chunk, text_chunks
from tests.turn.relaying import Relayed, feed, new_answer, relay, stream
from werkzeugkoppler.errors import Cause
from werkzeugkoppler.turn.preview import MARKER
from werkzeugkoppler.turn.relay import StreamedAnswer

ADD = Call("server__add", '{"a": 1}', "call_1")
TEXT = stream(*text_chunks("Done."))


def shown(answer: StreamedAnswer, *pieces: bytes) -> Relayed:
    return Relayed(b"".join(pieces), ())


def told(relayed: Relayed, key: str = "reasoning_content") -> str:
    return "".join(delta.get(key) or "" for delta in relayed.deltas)


def test_what_is_said_first_gives_the_identity_and_the_role() -> None:
    answer = new_answer()
    before = answer.aside("Wait.") + answer.aside("")
    after = feed(answer, [TEXT])
    answer.end_leg()
    relayed = shown(answer, before, after, answer.close())
    assert {c["id"] for c in relayed.chunks} == {"chatcmpl-made"}
    assert [delta["role"] for delta in relayed.deltas if "role" in delta] == ["assistant"]
    assert (told(relayed), relayed.text, relayed.finishes) == ("Wait.", "Done.", ["stop"])
    assert answer.model == "asked-for"


def test_a_leg_is_shown_when_one_of_its_chunks_is() -> None:
    answer = new_answer()
    assert not answer.has_shown
    feed(answer, [b": comment\n\n"])
    assert not answer.has_shown
    feed(answer, [stream(chunk({"content": "a"}), done=False)])
    assert answer.has_shown
    assert answer.model == "fake-model"


def test_a_leg_that_was_dropped_left_nothing() -> None:
    answer = new_answer()
    first = feed(answer, [stream(*calls_chunks(ADD))])
    assert answer.end_leg().calls
    assert feed(answer, [stream(*calls_chunks(ADD)[1:-1], done=False)]) == b""
    assert not answer.has_shown
    answer.drop_leg()
    second = feed(answer, [TEXT])
    assert not answer.end_leg().calls
    relayed = shown(answer, first, second, answer.close())
    assert (relayed.text, relayed.calls, relayed.finishes) == ("Done.", [], ["stop"])


def test_giving_up_before_the_answer_is_an_answer() -> None:
    answer = new_answer()
    relayed = shown(answer, answer.give_up(Cause.CONNECTION))
    words = "Connection to upstream LLM failed. Retries exhausted."
    assert relayed.deltas == [
        {"role": "assistant", "reasoning_content": f"{words}\n"},
        {"content": words},
    ]
    assert relayed.finishes == ["stop"]


def test_giving_up_within_the_answer_ends_it() -> None:
    answer = new_answer()
    early = feed(answer, [stream(*calls_chunks(ADD._replace(name="edit"))[:-2], done=False)])
    relayed = shown(answer, early, answer.give_up(Cause.INCOMPLETE))
    assert "Upstream stream interrupted" in told(relayed)
    assert (relayed.finishes, relayed.deltas[-1]) == (["stop"], {})


def test_giving_up_after_the_finish_adds_nothing() -> None:
    answer = new_answer()
    early = feed(answer, [stream(*text_chunks("Done.", usage=None), done=False)])
    assert answer.give_up(Cause.INCOMPLETE) == b"data: [DONE]\n\n"
    assert shown(answer, early, answer.close()).finishes == ["stop"]


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
def test_a_preview_joins_the_reasoning(key: str) -> None:
    both: dict[str, Any] = {"role": "assistant", key: "Hm.", "content": "Do"}
    relayed = relay(
        stream(chunk(both), chunk({"content": "ne."}, logprobs=1), chunk({}, finish="stop")),
        is_previewed=True,
    )
    assert told(relayed, key) == f"Hm.{MARKER}Done."
    assert relayed.text == "Done."
    assert [c["finish_reason"] for c in relayed.choices][-3:] == [None, None, "stop"]


def test_a_preview_of_a_leg_with_our_call_is_all_there_is() -> None:
    relayed = relay(stream(*calls_chunks(ADD, text="Let me see.")), TEXT, is_previewed=True)
    assert told(relayed) == f"{MARKER}Let me see.{MARKER}Done."
    assert relayed.text == "Done."


def test_parts_are_relayed_as_text_and_kept_as_text() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    relayed = relay(
        stream(
            chunk({"role": "assistant", "content": [thinking]}),
            chunk({"content": "Done."}),
            chunk({}, finish="stop"),
        )
    )
    assert (told(relayed), relayed.text) == ("Hm.", "Done.")
    (leg,) = relayed.legs
    assert leg.message == {"role": "assistant", "content": "Done.", "reasoning_content": "Hm."}
