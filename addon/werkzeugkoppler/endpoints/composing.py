"""What a chat request becomes before the upstream is asked: ours put in, and what it was made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from werkzeugkoppler.endpoints.approval import Approval
from werkzeugkoppler.endpoints.call import Call
from werkzeugkoppler.endpoints.conversation import Conversation, opened
from werkzeugkoppler.endpoints.offload import computed
from werkzeugkoppler.endpoints.retrieval import Reading, our_messages, read_all
from werkzeugkoppler.tools.tool import Tool
from werkzeugkoppler.turn.prompt import Draft, compose
from werkzeugkoppler.wire.chat import ChatRequest


@dataclass(frozen=True, slots=True)
class Composed:
    """The first leg's draft, and its parts."""

    conversation: Conversation
    request: ChatRequest
    """The client's, with the calls of earlier turns put back."""
    readings: Mapping[str, Reading]
    init_messages: list[dict[str, Any]]
    """Ours, filled in."""
    approval: Approval
    """What lets our tools run."""
    ours: Mapping[str, Tool]
    """The tools that we offer, by the name that the model knows."""
    definitions: Mapping[str, str]
    """Of our tools, as JSON texts."""
    draft: Draft


async def composed(call: Call, asked: ChatRequest, model: str) -> Composed:
    """Run the readers, and put everything together.

    Args:
        asked: The client's request.
        model: What to ask for.
    """
    stack = call.stack
    conversation = await opened(call, asked)
    request = conversation.restored()
    offered = await stack.offered_tools()
    allowed = {name: tool for name, tool in offered.items() if name not in request.tool_names}
    approval = Approval(call, allowed, request.tool_names, conversation.grants)
    ours = approval.tools
    definitions = {name: stack.definition(name, tool) for name, tool in ours.items()}
    readings = await read_all(call, request)
    init_messages = our_messages(stack.settings, readings)
    work = partial(
        compose,
        request,
        init_messages=init_messages,
        merge_system=stack.settings.system_messages == "merge",
        tools=list(definitions.values()),
        model=model,
    )
    draft = await computed(len(call.body), work)
    return Composed(conversation, request, readings, init_messages, approval, ours, definitions, draft)
