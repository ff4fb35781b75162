"""OpenAI's own Python client; streams are read by its `stream` helper, which puts the message together."""

from typing import Any

from openai import OpenAI, pydantic_function_tool
from pydantic import BaseModel

from tests.clients.drivers.driving import MODEL, WEATHER, Report, serve


class Weather(BaseModel):
    city: str


TOOL = pydantic_function_tool(Weather, name="weather", description=WEATHER)


def ask(question: str, stream: bool, tools: bool) -> Report:
    """The loop over the client's own tool is written out: this client has none."""
    report = Report()
    messages: list[Any] = [{"role": "user", "content": question}]
    while True:
        request: Any = {"model": MODEL, "messages": messages, **({"tools": [TOOL]} if tools else {})}
        completion = streamed(request, report) if stream else plain(request, report)
        report.count(completion.usage.prompt_tokens, completion.usage.completion_tokens)
        (choice,) = completion.choices
        report.finishes.append(choice.finish_reason)
        if not choice.message.tool_calls:
            return report
        messages.append(choice.message)
        for call in choice.message.tool_calls:
            result = report.weather(call.function.parsed_arguments.city)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})


def plain(request: Any, report: Report) -> Any:
    completion = client.chat.completions.parse(**request)
    report.pieces.append(completion.choices[0].message.content or "")
    return completion


def streamed(request: Any, report: Report) -> Any:
    with client.chat.completions.stream(**request, stream_options={"include_usage": True}) as events:
        for event in events:
            if event.type == "content.delta" and event.delta:
                report.pieces.append(event.delta)
        return events.get_final_completion()


client = OpenAI(max_retries=0)
serve(ask)
