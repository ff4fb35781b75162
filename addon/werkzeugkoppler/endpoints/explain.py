"""What would be asked, without asking it: the upstream's body, and what each of our parts adds to it (BX-13).

Readers are run, as their cost is what is asked for. The upstream is not asked and no tool is called.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from anyio import to_thread

from werkzeugkoppler.config.secrets import known_secrets
from werkzeugkoppler.endpoints.call import Call, Reply
from werkzeugkoppler.endpoints.comparing import diff
from werkzeugkoppler.endpoints.composing import Composed, composed
from werkzeugkoppler.endpoints.tokens import Tokens, known_tokens
from werkzeugkoppler.errors import ApiError
from werkzeugkoppler.gate.redact import without_secrets
from werkzeugkoppler.turn.echoes import without_echoes
from werkzeugkoppler.wire.chat import ChatRequest
from werkzeugkoppler.wire.http import JSON_HEADERS
from werkzeugkoppler.wire.jsontext import dumps


@dataclass(frozen=True, slots=True)
class Row:
    """What one part adds to the client's request."""

    source: str
    bytes: int
    """Of its JSON text; of a reader those of what it printed."""
    tokens: int
    ms: float | None = None
    """How long it was waited for; `None` where it was not."""


def not_asked() -> ApiError:
    """A direct command cannot be explained: it is not for the upstream."""
    problem = (
        "the last message is a direct command: the upstream would not be asked, nothing can be explained"
    )
    return ApiError(400, problem, code="direct_command")


async def explain(call: Call, asked: ChatRequest) -> Reply:
    """Tell what a chat request would become, always as a plain answer."""
    stack = call.stack
    began = time.monotonic()
    made = await composed(call, asked, stack.known_model_for(asked.model))
    ms = (time.monotonic() - began) * 1000
    url = f"{stack.upstream.base_url}/v1/chat/completions"
    told = partial(_explanation, call, asked, made, url, ms)
    text = await to_thread.run_sync(told, abandon_on_cancel=True)  # who leaves does not wait for it
    return Reply(200, JSON_HEADERS, text.encode())


def _explanation(call: Call, asked: ChatRequest, made: Composed, url: str, ms: float) -> str:
    """The answer's body; for a thread, as counting tokens and comparing take time."""
    tokens = known_tokens()
    body, secrets = made.draft.body().decode(), known_secrets(call.stack.settings)
    asked_body = call.body.decode()
    told = diff(asked_body, body)
    explanation = {
        "object": "werkzeugkoppler.explanation",
        "request": _size(asked_body, tokens),
        "upstream": {"url": url, "body": without_secrets(body, secrets)},
        "diff": None if told is None else without_secrets(told, secrets),
        "tokens_are": tokens.kind,
        "rows": [_shown(row) for row in _rows(asked, made, tokens)],
        "total": {**_size(body, tokens), "ms": round(ms, 1)},
    }
    return dumps(explanation)


def _size(text: str, tokens: Tokens) -> dict[str, int]:
    return {"bytes": len(text.encode()), "tokens": tokens.count(text)}


def _shown(row: Row) -> dict[str, Any]:
    return asdict(row) | {"ms": None if row.ms is None else round(row.ms, 1)}


def _rows(asked: ChatRequest, made: Composed, tokens: Tokens) -> Iterator[Row]:
    for number, message in enumerate(made.init_messages, 1):
        yield _row(f"init message {number} ({message.get('role')})", dumps(message), tokens)
    for name, reading in made.readings.items():
        yield _row(f"reader {name}", reading.text, tokens, reading.ms)
    for source in dict.fromkeys(tool.source for tool in made.ours.values()):
        of_source = (made.definitions[name] for name, tool in made.ours.items() if tool.source == source)
        yield _row(f"tools of {source}", ",".join(of_source), tokens)
    told_once = without_echoes(asked)
    if told_once is not asked:
        yield _difference("taken out of the history", asked.body.text, told_once.body.text, tokens)
    if made.request.body.text != told_once.body.text:
        yield _difference("put back from memory", told_once.body.text, made.request.body.text, tokens)
    draft = made.draft
    if fields := [key for key in draft.changes if key != "tools"]:
        tools_alone = {key: text for key, text in draft.changes.items() if key == "tools"}
        without = replace(draft, changes=tools_alone)
        bodies = without.body().decode(), draft.body().decode()
        yield _difference(f"fields: {', '.join(fields)}", *bodies, tokens)


def _row(source: str, text: str, tokens: Tokens, ms: float | None = None) -> Row:
    return Row(source, **_size(text, tokens), ms=ms)


def _difference(source: str, before: str, after: str, tokens: Tokens) -> Row:
    old, new = _size(before, tokens), _size(after, tokens)
    return Row(source, new["bytes"] - old["bytes"], new["tokens"] - old["tokens"])
