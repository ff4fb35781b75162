"""The bytes that the load generator sends and the fake upstream answers.

Both sides agree on one thing: the `model` of a request says which answer is wanted, because it is the one
field that every way passes on as it is. Its form is `bench-<kind>` or `bench-<kind>-<number>-<number>`.
"""

import json
from functools import cache
from typing import Any

SERVICE_KEY = "client-secret"
"""What the load generator shows; the proxy checks it, the other ways carry it along."""

ECHO_ACTION = "say"
"""The action that the canned tool call names."""

ECHO_ARGUMENTS = '{"TEXT": "hello"}'

STREAM_END = b"data: [DONE]\n\n"

type Messages = list[dict[str, Any]]

QUESTION: Messages = [
    {"role": "user", "content": "How far is it from the earth to the moon, in a few words?"}
]

# A client that runs the tool itself would send this as its second request.
TOOL_ANSWERED: Messages = QUESTION + [
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": f"actions__{ECHO_ACTION}", "arguments": ECHO_ARGUMENTS},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": '{"ok": true, "result": ["hello"]}'},
]


def question(model: str, *, stream: bool = False, messages: Messages = QUESTION) -> bytes:
    """A whole chat request, keep-alive."""
    body = json.dumps({"model": model, "messages": messages, "temperature": 0.2, "stream": stream}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {SERVICE_KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def json_answer(body: bytes) -> bytes:
    """A whole JSON response."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@cache
def plain_answer() -> bytes:
    """A whole chat completion of a few words."""
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "About 384 000 km."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28},
    }
    return json_answer(json.dumps(completion).encode())


# Streams: every event is an HTTP chunk of its own, as model servers send them.


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)

LAST_CHUNK = b"0\r\n\r\n"


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    """One SSE event with one choice."""
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "bench",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


STREAM_START = STREAM_HEAD + http_chunk(event({"role": "assistant", "content": ""}))


@cache
def stream_finish(finish: str) -> bytes:
    return http_chunk(event({}, finish)) + http_chunk(STREAM_END) + LAST_CHUNK


def text_of(events: int) -> str:
    """The text that a stream of so many content events adds up to."""
    return "word " * events


@cache
def text_stream(events: int) -> bytes:
    """A whole streamed answer with so many content events."""
    return STREAM_START + http_chunk(event({"content": "word "})) * events + stream_finish("stop")


@cache
def tool_call_stream() -> bytes:
    """A whole streamed answer that calls the echo action."""
    function = {"name": f"actions__{ECHO_ACTION}", "arguments": ""}
    start = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}
    arguments = {"tool_calls": [{"index": 0, "function": {"arguments": ECHO_ARGUMENTS}}]}
    return (
        STREAM_START + http_chunk(event(start)) + http_chunk(event(arguments)) + stream_finish("tool_calls")
    )


def stamped_chunk(time_ns: int) -> bytes:
    """One content event that carries the time at which it is sent, in ns of the monotonic clock."""
    return http_chunk(_STAMPED_EVENT.replace(b"TIME", b"%d" % time_ns))


_STAMPED_EVENT = event({"content": "@TIME@"})
