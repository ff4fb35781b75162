"""The views of one trace that reckon: when everything ran, and what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from werkzeugkoppler.inspecting.blocks import Block, Cell, Lines, Table
from werkzeugkoppler.inspecting.facts import Facts, Span, number
from werkzeugkoppler.inspecting.views import detail
from werkzeugkoppler.inspecting.words import duration, state
from werkzeugkoppler.wire.usage import Usage

BAR_WIDTH = 48
"""Characters for the whole time of a request."""


def timing(facts: Facts) -> list[Block]:
    """A waterfall: what ran when, side by side or one after the other.

    A leg's bar has dots until its first delta.
    """
    total = max([facts.ms, *(span.end for span in facts.spans)])
    rows = [
        (
            span.name if span.kind == "command" else f"{span.kind} {span.name}",
            f"{span.begin}",
            f"{span.ms}",
            Cell(_bar(span, total), state(span.state).style),
        )
        for span in facts.spans
    ]
    headings = ("step", "from ms", "took ms", f"0 to {duration(total)}")
    table = Table(headings, rows, frozenset({"from ms", "took ms"}), "(no timed events in this trace)")
    legs = [
        f"leg {span.name}: head of the answer after {duration(number(span.event, 'first_byte_ms'))}, "
        f"first delta after {duration(number(span.event, 'first_delta_ms'))}"
        for span in facts.of("leg")
        if "first_delta_ms" in span.event
    ]
    return [table, *([Lines(legs)] if legs else [])]


def _bar(span: Span, total: int) -> str:
    scale = BAR_WIDTH / total if total else 0.0
    begin, end = round(span.begin * scale), round(span.end * scale)
    waited = min(span.end, span.begin + number(span.event, "first_delta_ms")) if span.kind == "leg" else 0
    dots = max(0, round(waited * scale) - begin)
    return " " * begin + "·" * dots + "█" * max(1 if not dots else 0, end - begin - dots)


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for 1000 tokens; 0 where nobody has said."""

    tokens_in: float = 0
    tokens_out: float = 0

    def of(self, usage: Usage | None) -> float:
        """What a usage comes to, cached tokens at the full price."""
        counts = usage or {}
        tokens_in, tokens_out = number(counts, "prompt_tokens"), number(counts, "completion_tokens")
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1000


def cost(facts: Facts, price: Price) -> list[Block]:
    """The tokens of each leg and of all, as the model server counted them."""
    shown = cost_rows(facts, price)
    has_price = bool(price.tokens_in or price.tokens_out)
    headings = ("leg", "model", "in", "cached", "out", "reasoning", *(("dollars",) if has_price else ()))
    rows: list[Sequence[str | Cell]] = [
        [str(row[heading]) if heading != "dollars" else f"{row[heading]:.6f}" for heading in headings]
        for row in shown
    ]
    right = frozenset({"in", "cached", "out", "reasoning", "dollars"})
    return [Table(headings, rows, right, "(no usage events in this trace)")]


def cost_rows(facts: Facts, price: Price) -> list[dict[str, Any]]:
    """The rows of `cost`, the sum last; none where no leg told its usage."""
    legs = [(span.name, span.event) for span in facts.of("leg") if isinstance(span.event.get("usage"), dict)]
    rows = [_row(name, str(event.get("model", "")), event["usage"], price) for name, event in legs]
    return [*rows, _row("all", "", facts.usage, price)] if rows else []


def _row(leg: str, model: str, usage: Usage | None, price: Price) -> dict[str, Any]:
    counts = usage or {}
    return {
        "leg": leg,
        "model": model,
        "in": number(counts, "prompt_tokens"),
        "cached": number(detail(counts, "prompt_tokens_details"), "cached_tokens"),
        "out": number(counts, "completion_tokens"),
        "reasoning": number(detail(counts, "completion_tokens_details"), "reasoning_tokens"),
        "dollars": price.of(counts),
    }
