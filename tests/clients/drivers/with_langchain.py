"""LangChain: `create_agent` runs the loop over the client's own tool."""

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain.messages import AIMessage
from langchain_openai import ChatOpenAI

from tests.clients.drivers.driving import MODEL, QUESTION, Report, serve


def ask(stream: bool, tools: bool) -> Report:
    report = Report()

    def weather(city: str) -> str:
        """Tells the weather of a city."""
        return report.weather(city)

    agent = create_agent(model, [weather] if tools else [])
    question = {"messages": [{"role": "user", "content": QUESTION}]}
    if stream:
        streamed(agent, question, report)
    else:
        plain(agent.invoke(question)["messages"], report)
    return report


def plain(messages: Sequence[Any], report: Report) -> None:
    for message in messages:
        if isinstance(message, AIMessage):
            report.pieces.append(message.text)
            take(message, report)


def streamed(agent: Any, question: Any, report: Report) -> None:
    for message, _ in agent.stream(question, stream_mode="messages"):
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
