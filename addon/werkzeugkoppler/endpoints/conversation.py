"""What a turn takes over from the turns before it in a conversation, and what it leaves to the next."""

import logging
from functools import partial
from typing import Any

from werkzeugkoppler.endpoints.call import Call
from werkzeugkoppler.endpoints.offload import computed
from werkzeugkoppler.gate.grants import Grants
from werkzeugkoppler.turn.consents import Consents
from werkzeugkoppler.turn.echoes import without_echoes
from werkzeugkoppler.turn.history import History, digested, shown
from werkzeugkoppler.turn.leg import Leg
from werkzeugkoppler.turn.memory import NOTHING, SPOKEN, Hidden, ToolMemory, owner_of
from werkzeugkoppler.turn.prefix import Break, PrefixGuard, Prompt, prompt_of
from werkzeugkoppler.turn.prompt import Draft
from werkzeugkoppler.turn.store import Bounds
from werkzeugkoppler.wire.chat import ChatRequest

logger = logging.getLogger(__name__)


async def opened(call: Call, asked: ChatRequest) -> "Conversation":
    """The conversation of a chat request; its history is digested where that holds nobody up."""
    owner = owner_of(asked, str(call.link.client_conn.peername[0]))
    messages = asked.messages if call.stack.settings.tool_memory.enabled else ()
    return Conversation(call, asked, await computed(len(call.body), partial(digested, messages, owner)))


class Conversation:
    """The conversation of one chat request.

    Args:
        asked: The client's request.
        history: Of its messages; it is looked at only where conversations are kept.
    """

    def __init__(self, call: Call, asked: ChatRequest, history: History) -> None:
        settings = call.stack.settings.tool_memory
        bounds = Bounds(settings.entries, settings.bytes, settings.seconds)
        self.is_kept = settings.enabled
        self._call = call
        self._asked = asked
        self._history = history
        self._memory = ToolMemory(call.stack.store, bounds)
        self._guard = PrefixGuard(call.stack.store, bounds)
        self._consents = Consents(call.stack.store, bounds)
        self._grants: Grants | None = None
        self._init_count = self._asked_count = 0
        self.made: dict[str, int] = {}
        """How many messages of the prompt come from where: `init_messages` at its head, `asked` in the first
        leg, `restored` put back; `merged` where the first is in part ours."""

    def restored(self) -> ChatRequest:
        """The request with the calls of earlier turns put back (BX-03, BX-04), and told only once."""
        request = without_echoes(self._asked)
        return self._memory.restore(request, self._history) if self.is_kept else request

    def grants(self) -> Grants:
        """The permissions that it has, to be added to (OW-62)."""
        self._grants = Grants(self._consents.of(self._history) if self.is_kept else ())
        return self._grants

    def begin(self, draft: Draft, request: ChatRequest) -> None:
        """See that the prompt goes on from the one before (BX-14).

        Args:
            draft: The first leg's.
            request: What it was made of.
        """
        self._asked_count = len(draft.messages)
        self._init_count = self._asked_count - len(request.messages)  # where some were merged, fewer
        settings = self._call.stack.settings
        merged = settings.system_messages == "merge" and bool(settings.init_messages)
        self.made = {"init_messages": self._init_count, "asked": self._asked_count, "merged": int(merged)}
        self.made["restored"] = len(request.messages) - len(self._asked.messages)
        if self.is_kept and (found := self._guard.check(self._history, partial(self._prompt, draft))):
            self._tell(found)

    def end(self, draft: Draft, leg: Leg, content: Any) -> None:
        """Keep what the next turn has to have.

        Args:
            draft: The last leg's, with the calls and results that followed it.
            leg: The last.
            content: What the client was told by all legs.
        """
        if not self.is_kept:
            return
        answer = shown(content, leg.handed_over)
        if self._grants is not None:
            self._consents.keep(self._history, answer, self._grants.kept)
        messages = draft.messages[self._asked_count :]
        if not messages:
            self._memory.remember(self._history, answer, NOTHING)
        elif leg.calls:
            self._memory.remember(self._history, answer, Hidden(messages, None))
        elif all(isinstance(leg.message.get(key), str | None) for key in SPOKEN):
            last = {key: text for key in SPOKEN if (text := leg.message.get(key))}
            self._memory.remember(self._history, answer, Hidden(messages, last))
        self._guard.keep(self._history, answer, self._prompt(draft))

    def _prompt(self, draft: Draft) -> Prompt:
        return prompt_of(draft, init_count=self._init_count, asked_count=self._asked_count)

    def _tell(self, found: Break) -> None:
        call = self._call
        call.trace.add("prefix_broken", byte=found.at, tokens_lost=found.tokens_lost, culprit=found.culprit)
        is_new = found.culprit not in call.stack.culprits
        call.stack.culprits.add(found.culprit)
        logger.log(
            logging.WARNING if is_new else logging.DEBUG,  # the same every turn would hide all else
            "Turn %s goes on from the prompt before up to byte %d, about %d tokens are read again: %s",
            call.trace.id,
            found.at,
            found.tokens_lost,
            found.culprit,
        )
