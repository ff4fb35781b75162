"""litellm's Python client, as agents use it: the message of a stream is put together from its chunks."""

import json
from typing import Any

import litellm

from tests.clients.drivers.driving import MODEL, WEATHER, Report, serve

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "description": WEATHER, "parameters": CITY}}


def ask(question: str, stream: bool, tools: bool) -> Report:
    """The loop over the client's own tool is written out: this client has none."""
    report = Report()
    messages: list[Any] = [{"role": "user", "content": question}]
    while True:
        request: Any = {"model": f"openai/{MODEL}", "messages": messages, "tools": [TOOL] if tools else None}
        completion = streamed(request, report) if stream else plain(request, report)
        report.count(completion.usage.prompt_tokens, completion.usage.completion_tokens)
        (choice,) = completion.choices
        report.finishes.append(choice.finish_reason)
        if not choice.message.tool_calls:
            return report
        messages.append(choice.message)
        for call in choice.message.tool_calls:
            result = report.weather(**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def plain(request: Any, report: Report) -> Any:
    completion = litellm.completion(**request, max_retries=0)
    report.pieces.append(completion.choices[0].message.content or "")
    return completion


def streamed(request: Any, report: Report) -> Any:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = []
    for chunk in litellm.completion(**request, **options, max_retries=0):
        chunks.append(chunk)
        report.pieces.extend(choice.delta.content for choice in chunk.choices if choice.delta.content)
    return litellm.stream_chunk_builder(chunks)


litellm.suppress_debug_info = True  # its advice goes to stdout
serve(ask)
