"""Of a chunk that one rule touches all else stays as the server wrote it (BX-07)."""

import json

from tests.fakes.chunks import DONE, Call, calls_chunks, chunk, event, text_chunks
from tests.turn.relaying import feed, new_answer, relay, stream

OURS = Call("server__add", '{"a": 1}', "call_ours")
TEXT = stream(*text_chunks("Done."))

NUMBERS = '"n":[1.0,1e5,0.10,-0.0,1E-7,123456789012345678901234567890,1e400]'
STRINGS = '"s":"\\u00e9 \\/ é \\ud83d\\ude00"'
VENDOR = f'"vendor" : {{ {NUMBERS} ,{STRINGS},"twice":1,"twice":2.50 }}'
HEAD = '"object":"chat.completion.chunk","created":1700000000,"model":"fake-model"'


def written(id: str, delta: str, more: str = "") -> bytes:
    """A chunk as no serializer would write it."""
    choice = f'{{ "index":0, "delta": {delta}, "logprobs":{{"content":[{{"logprob":-1.0e-2}}]}}{more} }}'
    return f'data: {{"id": "{id}", {HEAD}, {VENDOR}, "choices":[ {choice} ]}}\n\n'.encode()


def second_leg(*chunks: bytes) -> list[bytes]:
    """What the client sees of a second leg's chunks, one by one."""
    first = stream(*calls_chunks(OURS, text="One. ", id="first"))
    shown = relay(first, b"".join(chunks) + DONE).shown
    return [part + b"\n\n" for part in shown.split(b"\n\n") if b'"vendor"' in part]


def test_only_the_identity_is_changed_in_a_later_leg() -> None:
    chunks = [written("b", '{"content":"x\\u00e9 é"}'), written("b", "{}", ', "finish_reason":"stop"')]
    assert second_leg(*chunks) == [part.replace(b'"id": "b"', b'"id": "first"') for part in chunks]


def test_only_the_role_is_left_out_in_a_later_leg() -> None:
    role = written("first", '{ "role":"assistant", "content":"x" ,"y":1.0}', ', "finish_reason":null')
    last = written("first", "{}", ', "finish_reason":"stop"')
    assert second_leg(role, last) == [role.replace(b'"role":"assistant", ', b""), last]


def test_only_our_call_is_left_out_of_a_chunk_with_text() -> None:
    call = json.dumps(OURS.wire() | {"index": 0})
    both = written(
        "a", f'{{"role":"assistant","content":"x" , "tool_calls": [{call}] }}', ', "finish_reason":null'
    )
    relayed = relay(both + stream(chunk({}, finish="tool_calls")), TEXT)
    cut = both.replace(f' , "tool_calls": [{call}]'.encode(), b"")
    assert relayed.shown.startswith(cut)


def test_only_the_index_of_a_clients_call_is_changed() -> None:
    theirs = '{ "index": 1,"id":"t","type":"function", "function":{"name":"edit","arguments":"{}", "x":1.0} }'
    both = written("a", f'{{"role":"assistant", "tool_calls":[ {theirs} ]}}', ', "finish_reason":null')
    relayed = relay(both + stream(chunk({}, finish="tool_calls")))
    assert relayed.shown.startswith(both.replace(b'"index": 1', b'"index": 0'))


def test_only_the_numbers_that_grew_are_changed_in_a_sum() -> None:
    usage = (
        '{"id":"first",'
        + HEAD
        + ',"choices":[],"usage":{ "prompt_tokens": 20, "cost":0.10, "total_tokens":20 }}'
    )
    first = stream(*calls_chunks(OURS, id="first", usage={"prompt_tokens": 10, "cost": 0}))
    last = stream(*text_chunks("a", id="first", usage=None), f"data: {usage}\n\n".encode())
    assert relay(first, last).shown.endswith(
        usage.replace('"prompt_tokens": 20', '"prompt_tokens": 30').encode() + b"\n\n" + DONE
    )


def test_fields_of_an_event_beside_its_data_stay() -> None:
    first, *rest = text_chunks("a", id="b")
    data = json.dumps(chunk({"role": "assistant", "content": "x"}, id="b"))
    odd = f"event: message\r\nid: 7\r\ndata: {data[:6]}\r\ndata: {data[6:]}\r\n\r\n".encode()
    shown = relay(stream(*calls_chunks(OURS, id="first")), odd + stream(first, *rest)).shown
    assert b"event: message\nid: 7\ndata: " in shown
    assert json.loads(shown.split(b"id: 7\ndata: ")[1].split(b"\n\n")[0].replace(b"\ndata: ", b"\n"))


def test_a_completion_is_streamed_in_the_words_in_which_it_was_written() -> None:
    answer = new_answer()
    message = f'{{"role":"assistant", "content":"x\\u00e9 é", {VENDOR}}}'
    shown = answer.take_completion(
        f'{{"id":"a",{HEAD},"choices":[{{"index":0,"message":{message},"n":1e5,"finish_reason":"stop"}}]}}'.encode()
    )
    assert message.encode() in shown and b'"n":1e5' in shown
    assert feed(answer, []) == b""


def test_a_stream_over_several_legs_is_the_same_wherever_it_is_cut() -> None:
    """`relay` puts each leg through it in every split, within characters too."""
    chunks = [
        written("b", '{"content":"€ 😀"}', ', "finish_reason":null'),
        event(chunk({}, finish="stop", id="b")),
    ]
    assert relay(stream(*calls_chunks(OURS, id="a")), b"".join(chunks) + DONE).text == "€ 😀"


def odd_heads() -> list[bytes]:
    """Chunks that begin in different ways, some of which come again."""
    choice = '"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]'
    heads = [
        '{"id":"b","created":1,"model":"m","object":"chat.completion.chunk",%s}',
        '{"id":"b","created":2,"model":"m","object":"chat.completion.chunk",%s}',
        '{ "x":1.0,"id":"b","created":1,"model":"m","object":"chat.completion.chunk",%s}',
        '{%s,"id":"b","created":1,"model":"m","object":"chat.completion.chunk"}',
        '{"model":"m",%s,"id":"b"}',
        '{"id":"b","created":1,"model":"m","object":"chat.completion.chunk","x":{"choices":1},%s,"y":1e5}',
        '{"id":"first","created":1700000000,"model":"fake-model","object":"chat.completion.chunk",%s}',
        '{"id":"b","created":1,"model":"m","object":"other",%s}',
        '{"id":"b","created":1,"model":"fake-model",%s,"object":"chat.completion.chunk"}',
        '{"id":"b","created":1,"model":"fake-model",%s,"object":"other"}',
    ]
    texts = [head % choice for head in heads]
    return [f"data: {text}\n\n".encode() for text in [*texts, *texts[::-1], texts[0], *texts] * 3]


def test_every_chunk_of_a_later_leg_has_the_identity_however_it_begins() -> None:
    chunks = odd_heads()
    shown = relay(
        stream(*calls_chunks(OURS, id="first")), b"".join(chunks) + stream(chunk({}, finish="stop"))
    )
    assert {(c["id"], c["created"], c["model"]) for c in shown.chunks} == {
        ("first", 1700000000, "fake-model")
    }
    assert (shown.text, {c["object"] for c in shown.chunks}) == ("x" * len(chunks), {"chat.completion.chunk"})
    assert shown.shown.count(b'"x":1.0') == 9 and shown.shown.count(b'"y":1e5') == 9


def test_where_every_chunk_begins_in_another_way_nothing_is_learned() -> None:
    answer = new_answer()
    feed(answer, [stream(*calls_chunks(OURS, id="first"))])
    answer.end_leg()
    later = stream(*(chunk({"content": "x"}, id=f"b{n}") for n in range(300)))
    assert feed(answer, [later]).count(b'"id": "first"') == 300
