"""LangChain: `create_agent` runs the loop over the client's own tool."""

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain.messages import AIMessage
from langchain_openai import ChatOpenAI

from tests.clients.drivers.driving import MODEL, Report, serve


def ask(question: str, stream: bool, tools: bool) -> Report:
    report = Report()

    def weather(city: str) -> str:
        """Tells the weather of a city."""
        return report.weather(city)

    agent = create_agent(model, [weather] if tools else [])
    start = {"messages": [{"role": "user", "content": question}]}
    if stream:
        streamed(agent, start, report)
    else:
        plain(agent.invoke(start)["messages"], report)
    return report


def plain(messages: Sequence[Any], report: Report) -> None:
    for message in messages:
        if isinstance(message, AIMessage):
            report.pieces.append(message.text)
            take(message, report)


def streamed(agent: Any, start: Any, report: Report) -> None:
    for message, _ in agent.stream(start, stream_mode="messages"):
        if isinstance(message, AIMessage):
            if message.text:
                report.pieces.append(message.text)
            take(message, report)


def take(message: Any, report: Report) -> None:
    """Note the end of an answer: of a stream's chunks, the last ones have it."""
    if reason := message.response_metadata.get("finish_reason"):
        report.finishes.append(reason)
    if usage := message.usage_metadata:
        report.count(usage["input_tokens"], usage["output_tokens"])


model = ChatOpenAI(model=MODEL, max_retries=0, stream_usage=True)
serve(ask)
