"""Of a plain answer that changes all else stays as the server wrote it (BX-07)."""

import json

from tests.fakes.chunks import calls_completion, completion
from tests.turn.test_collect import OURS, collected, new_answer

NUMBERS = '"n":[1.0,1e5,0.10,123456789012345678901234567890,1e400], "s":"\\u00e9 \\/ é"'


def written(message: str, finish: str = "stop", more: str = "") -> bytes:
    """A completion as no serializer would write it."""
    choice = f'{{ "message" : {message}, "index":0, "finish_reason": "{finish}" ,{NUMBERS}{more}}}'
    head = '"id":"a", "created":1.70e9,"model":"m"'
    return f'{{ {head}, "choices":[ {choice} ],\n "usage": {{"total_tokens": 1}}, {NUMBERS}}}'.encode()


def closed(*legs: bytes) -> bytes:
    """The body that the client gets, as bytes."""
    answer = new_answer()
    for leg in legs:
        answer.take_completion(leg)
        answer.end_leg()
    return answer.close()


def test_only_text_and_usage_are_changed_over_several_legs() -> None:
    early = written(f'{{"content":"One. ","tool_calls":[{json.dumps(OURS.wire())}]}}', "tool_calls")
    last = written('{ "role":"assistant", "content":"Two." , "x":1.0}')
    after = last.replace(b'"Two."', b'"One. Two."').replace(b'_tokens": 1', b'_tokens": 2')
    assert closed(early, last) == after


def test_only_our_call_is_left_out_of_mixed_calls() -> None:
    theirs = '{ "id":"t","type":"function" ,"function":{"name":"edit_file", "arguments":"{}"}, "x":1.0 }'
    both = written(f'{{"content":null,"tool_calls":[{json.dumps(OURS.wire())} , {theirs}]}}', "tool_calls")
    seen = both.replace(f"{json.dumps(OURS.wire())} , ".encode(), b"")
    assert closed(both) == seen


def test_log_probabilities_are_those_of_the_whole_text() -> None:
    early, last = calls_completion(OURS, text="One. "), completion("Two.")
    early["choices"][0]["logprobs"] = {"content": [{"token": "One. "}]}
    last["choices"][0]["logprobs"] = {"content": [{"token": "Two."}]}
    (choice,) = collected(early, last)["choices"]
    assert choice["logprobs"] == {"content": [{"token": "One. "}, {"token": "Two."}]}


def test_log_probabilities_of_a_leg_without_text_are_left_out() -> None:
    early, last = calls_completion(OURS), completion("Two.")
    early["choices"][0]["logprobs"] = {"content": [{"token": "<tool_call>"}]}
    assert collected(early, last)["choices"][0]["logprobs"] is None
