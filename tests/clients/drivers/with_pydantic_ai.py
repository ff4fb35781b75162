"""pydantic-ai: its `Agent` runs the loop over the client's own tool."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from openai import AsyncOpenAI
from pydantic_ai import Agent, ModelResponse, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.drivers.driving import MODEL, Report, serve


def ask(question: str, stream: bool, tools: bool) -> Report:
    report = Report()

    def weather(city: str) -> str:
        """Tells the weather of a city."""
        return report.weather(city)

    async def note_text(_: Any, events: AsyncIterator[Any]) -> None:
        async for event in events:
            if text := text_of(event):
                report.pieces.append(text)

    agent = Agent(model, tools=[weather] if tools else [])
    result = agent.run_sync(question, event_stream_handler=note_text if stream else None)
    responses = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
    if not stream:
        report.pieces.extend(response.text or "" for response in responses)
    take(responses, report)
    return report


def text_of(event: Any) -> Any:
    """What an event adds to the text of the answer, None where that is nothing."""
    match event:
        case PartStartEvent(part=TextPart(content=text)):
            return text
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
    return None


def take(responses: Sequence[Any], report: Report) -> None:
    for response in responses:
        report.finishes.append(response.provider_details["finish_reason"])  # as it came
        report.count(response.usage.input_tokens, response.usage.output_tokens)


model = OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=AsyncOpenAI(max_retries=0)))
serve(ask)
