"""Permissions that an operator gave in a turn, and what they still stand for (OW-61, OW-62)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Scope(StrEnum):
    """How long a permission holds."""

    THIS_CALL = "this_call"
    """For the next call that needs it."""
    THIS_SESSION = "this_session"
    """For the rest of the conversation."""

    @classmethod
    def of(cls, asked: Any) -> "Scope":
        """The scope that is meant; `persistent` is no more than the conversation here (OW-65)."""
        return cls.THIS_SESSION if asked in ("this_session", PERSISTENT) else cls.THIS_CALL


PERSISTENT = "persistent"
"""What a model may ask for and never gets: nothing is kept beyond the conversation."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One permission."""

    id: str
    scope: Scope
    costs: frozenset[str]


class Grants:
    """The permissions of one turn.

    Args:
        kept: Those that its conversation has already.
    """

    def __init__(self, kept: Iterable[Grant] = ()) -> None:
        self._grants = list(kept)  # the oldest first

    def add(self, grant: Grant) -> None:
        self._grants.append(grant)

    def use(self, needed: Iterable[str]) -> tuple[Grant, ...] | None:
        """The permissions that together cover what a call needs; those for one call are used up.

        Those of the conversation come first, then one that covers all the rest, then the newest. `None` where
        they do not suffice: none is used up then.
        """
        left, used = set(needed), []
        newest_first = self._grants[::-1]
        lasting = [grant for grant in newest_first if grant.scope is Scope.THIS_SESSION]
        singles = [grant for grant in newest_first if grant.scope is Scope.THIS_CALL]
        rest = left.difference(*(grant.costs for grant in lasting))
        for grant in [*lasting, *([grant for grant in singles if rest <= grant.costs][:1] or singles)]:
            if left & grant.costs:
                left -= grant.costs
                used.append(grant)
        if left:
            return None
        self._grants = [g for g in self._grants if g.scope is Scope.THIS_SESSION or g not in used]
        return tuple(used)

    @property
    def kept(self) -> frozenset[Grant]:
        """What the conversation has."""
        return frozenset(grant for grant in self._grants if grant.scope is Scope.THIS_SESSION)

    def end(self) -> tuple[Grant, ...]:
        """Take back what was for one call and was not used."""
        unused = tuple(grant for grant in self._grants if grant.scope is Scope.THIS_CALL)
        self._grants = [grant for grant in self._grants if grant.scope is Scope.THIS_SESSION]
        return unused
