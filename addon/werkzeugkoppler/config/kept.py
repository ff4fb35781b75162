"""The settings that decide how a turn's legs become its answer, kept in its flow (BX-12)."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from werkzeugkoppler.config.address import DEMO
from werkzeugkoppler.config.problem import dotted
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.config.wording import problem_of

KEPT: Mapping[str, Any] = {
    "tool_trace": True,
    "stream_answer_mode": True,
    "max_tool_loops": True,
    "max_tool_concurrency": True,
    "upstream_connect_retries": True,
    "upstream_retry_interval_ms": True,
    "upstream_failure_reply": True,
    "denied_call_reply": True,
    "tool_memory": {"enabled"},
}


def kept(settings: Settings) -> dict[str, Any]:
    """Those settings as plain values, which a file of flows can hold."""
    return settings.model_dump(include=dict(KEPT))


def restored(values: Mapping[str, Any]) -> Settings:
    """Settings of then, with defaults for what the values do not say.

    Raises:
        ValueError: They are no settings; it says in a line what is wrong first.
    """
    known = {key: value for key, value in values.items() if key in KEPT}
    try:
        return Settings.model_validate({**known, "upstream_base_url": DEMO})
    except ValidationError as error:
        problem = problem_of(error.errors()[0])
        raise ValueError(f"{dotted(problem.path)} {problem.text}") from error
