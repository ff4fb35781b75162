"""llm, with the model declared as the README has it: `chain` runs the loop over the client's own tool."""

import os
from pathlib import Path
from typing import Any

import llm

from tests.clients.drivers.driving import MODEL, Report, serve

DECLARED = "{model_id: koppler, model_name: %s, api_base: '%s', api_key_name: koppler, supports_tools: true}"


def ask(question: str, stream: bool, tools: bool) -> Report:
    report = Report()

    def weather(city: str) -> str:
        """Tells the weather of a city"""
        return report.weather(city)

    for response in model.chain(question, tools=[weather] if tools else [], stream=stream).responses():
        report.pieces.extend(piece for piece in response if piece)
        report.finishes.append(finish(response.response_json))
        usage = response.usage()
        report.count(usage.input, usage.output)
    return report


def finish(answer: Any) -> str | None:
    """Where llm keeps the reason depends on whether it streamed."""
    choice = answer["choices"][0] if "choices" in answer else answer
    reason: str | None = choice["finish_reason"]
    return reason


def declare(folder: Path) -> None:
    """Write the file that llm finds its models in."""
    line = DECLARED % (MODEL, os.environ["OPENAI_BASE_URL"])
    (folder / "extra-openai-models.yaml").write_text(f"- {line}\n", encoding="utf-8")
    os.environ["LLM_USER_PATH"] = str(folder)


declare(Path.cwd())
model = llm.get_model("koppler")
serve(ask)
