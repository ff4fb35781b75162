"""The permissions that a conversation was given, for its next turns (OW-62).

They are kept under the digest of the history that they were given in, the answer included, as hidden
exchanges are (`turn/memory.py`). Only whoever sends that very conversation on has them. Where two turns with
the same history were given different ones, or one was given none, only what both were given is kept.
"""

from collections.abc import Set
from dataclasses import replace
from typing import Any

from werkzeugkoppler.gate.grants import Grant
from werkzeugkoppler.turn.history import Digest, History
from werkzeugkoppler.turn.store import Bounds, Store

GRANT_SIZE = 200
"""Characters that a permission counts for in the store."""


class Consents:
    """The permissions that a store holds of conversations; their histories begin with their owner."""

    def __init__(self, store: Store, bounds: Bounds) -> None:
        self._store = store
        self._bounds = bounds

    def of(self, asked: History) -> frozenset[Grant]:
        """What the conversation was given: as its latest answer that is known left it."""
        for digest in reversed(asked.answers.values()):
            grants: frozenset[Grant] | None = self._store.get(_key(digest))
            if grants is not None:
                return grants
        return frozenset()

    def keep(self, asked: History, answer: dict[str, Any], grants: Set[Grant]) -> None:
        """Keep what the next turn has.

        Args:
            asked: Of the client's request.
            answer: What its history will have after it.
        """
        key = _key(asked.after(answer))
        known: frozenset[Grant] | None = self._store.get(key)
        kept = frozenset(grants) if known is None else _common(grants, known)
        self._store.put(key, kept, GRANT_SIZE * (1 + len(kept)), self._bounds)


def _common(grants: Set[Grant], others: Set[Grant]) -> frozenset[Grant]:
    """The permissions, without the costs that only one side has."""
    costs = frozenset(cost for grant in others for cost in grant.costs)
    return frozenset(replace(grant, costs=grant.costs & costs) for grant in grants if grant.costs & costs)


def _key(digest: Digest) -> bytes:
    return b"grants " + digest
