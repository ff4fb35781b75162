"""Looks for a model server on this machine, for a start without a config (BX-18)."""

from dataclasses import dataclass

import aiohttp
from anyio import create_task_group

PROBE_SECONDS = 1.0
"""A server on this machine answers its list of models within milliseconds."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A port that a known model server listens on when nobody told it otherwise."""

    name: str
    port: int

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


CANDIDATES = (
    Candidate("Ollama", 11434),
    Candidate("LM Studio", 1234),
    Candidate("llama.cpp", 8080),
    Candidate("vLLM", 8000),
)
"""In the order of preference."""


async def detect(candidates: tuple[Candidate, ...] = CANDIDATES) -> Candidate | None:
    """The first candidate that answers with a list of models, asked all at once."""
    found: set[Candidate] = set()

    async def probe(session: aiohttp.ClientSession, candidate: Candidate) -> None:
        if await _lists_models(session, candidate.base_url):
            found.add(candidate)

    timeout = aiohttp.ClientTimeout(total=PROBE_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session, create_task_group() as group:
        for candidate in candidates:
            group.start_soon(probe, session, candidate)
    return next((candidate for candidate in candidates if candidate in found), None)


async def _lists_models(session: aiohttp.ClientSession, base_url: str) -> bool:
    try:
        async with session.get(f"{base_url}/v1/models") as response:
            if "X-Werkzeugkoppler-Trace-Id" in response.headers:
                return False  # this very program, started before
            body = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return False
    return response.status == 200 and isinstance(body, dict) and isinstance(body.get("data"), list)
