"""What we said beside an answer, taken out of the history in which a client sends it back.

Some clients keep the reasoning of an answer and send it with the next request. Servers that know no such
field refuse the request for it, though they never sent one; others show it to the model, which learns to
write such lines itself.
"""

from dataclasses import replace
from typing import Any

from werkzeugkoppler.turn.asides import FIELDS, without_asides
from werkzeugkoppler.wire.chat import ChatRequest
from werkzeugkoppler.wire.jsontext import JsonObject, array_items, dumps

type Changes = dict[str, str | None]


def without_echoes(request: ChatRequest) -> ChatRequest:
    """The request without our words; the very same where it has none."""
    found = {
        index: changes for index, message in enumerate(request.messages) if (changes := _changes(message))
    }
    if not found:
        return request
    texts = array_items(request.body.raw("messages") or "[]")
    for index, changes in found.items():
        texts[index] = JsonObject.parse(texts[index]).edited(changes)
    return replace(request, body=JsonObject.parse(request.body.edited({"messages": f"[{','.join(texts)}]"})))


def _changes(message: dict[str, Any]) -> Changes:
    """What to do with each field; one that held nothing else is taken out."""
    changes: Changes = {}
    for key in FIELDS if message["role"] == "assistant" else ():
        written = message.get(key)
        own = without_asides(written) if isinstance(written, str) else written
        if own != written:
            changes[key] = dumps(own) if own else None
    return changes
