"""A user's script as a person at mitmproxy might act: it edits, answers, holds and kills exchanges.

What it does is asked for by words in the exchange. `GET /let-go` lets go what is held, `GET /kill` kills it,
or what runs, and is not found where there is neither, `GET /look` shows what has been seen of the answer of
the leg that was updated last, `GET /replay` replays the last chat.
"""

from collections.abc import Sequence

from mitmproxy import ctx, http
from mitmproxy.flow import Flow

held: list[http.HTTPFlow] = []
running: list[http.HTTPFlow] = []
looked_at: list[bytes] = [b""]
chats: list[http.HTTPFlow] = []


def kind(flow: http.HTTPFlow) -> str:
    """`leg` or `tool`; empty for a client's own request."""
    link = flow.metadata.get("werkzeugkoppler") or {}
    return str(link.get("kind", "")).replace("client", "")


def replaced(message: http.Message, old: str, new: str) -> None:
    """Change the text of a request or a response."""
    text = message.get_text(strict=False) or ""
    if old in text:
        message.text = text.replace(old, new)


def request(flow: http.HTTPFlow) -> None:
    if flow.request.path == "/let-go":
        while held:
            flow_held = held.pop()
            replaced(flow_held.request, "please hold", "held")
            flow_held.resume()
    if flow.request.path == "/kill" and (held or running):
        (held or running).pop().kill()
        flow.response = http.Response.make(200)
    if flow.request.path == "/look":
        flow.response = http.Response.make(200, looked_at[-1])
    if flow.request.path == "/replay":
        flow.response = http.Response.make(200)
        ctx.master.commands.call("replay.client", [chats[-1].copy()])
    text = flow.request.get_text(strict=False) or ""
    if not kind(flow):
        return
    if f"please kill {kind(flow)}" in text:
        flow.kill()
    elif f"please answer {kind(flow)}" in text:
        flow.response = http.Response.make(200, ANSWERS[kind(flow)], {"content-type": "application/json"})
    elif "please run" in text and kind(flow):
        running.append(flow)
    elif "please hold" in text and kind(flow) == "tool":
        held.append(flow)
        flow.intercept()
    else:
        replaced(flow.request, f"please edit {kind(flow)}", "edited")


def response(flow: http.HTTPFlow) -> None:
    if not kind(flow) and flow.request.path == "/v1/chat/completions":
        chats.append(flow)
    if kind(flow) and flow.response:
        replaced(flow.response, f"please edit the {kind(flow)}'s answer", "edited afterwards")


def update(flows: Sequence[Flow]) -> None:
    for flow in flows:
        if isinstance(flow, http.HTTPFlow) and kind(flow) == "leg" and flow.response:
            looked_at[-1] = flow.response.get_content(strict=False) or b""


ANSWERS = {
    "leg": '{"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, '
    '"message": {"role": "assistant", "content": "From the script."}, "finish_reason": "stop"}]}',
    "tool": '{"ok": true, "result": "from the script"}',
}
