"""A figure: one quantity, measured on each of the three ways, and the aim it is held against."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from bench.ways import Name


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure should reach. Times are never asserted: an aim is met or short."""

    of: Literal["ratio", "difference", "value"]
    """What is held against the limit: this proxy's value over plain mitmdump's, minus it, or alone."""
    limit: float
    at_least: bool = False
    """True where more is better."""

    def is_met_by(self, number: float) -> bool:
        return number >= self.limit if self.at_least else number <= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians of one run."""

    title: str
    unit: str
    mitmdump: float | None
    """None where plain mitmdump cannot do it."""
    werkzeugkoppler: float
    direct: float | None = None
    """None where there is nothing to measure without a proxy."""
    added: bool = False
    """True where the proxies' values are what they add to the direct way's."""
    aim: Aim | None = None

    @classmethod
    def each(cls, title: str, unit: str, values: Mapping[Name, float], aim: Aim | None = None) -> Self:
        """A figure of the values as they are."""
        return cls(title, unit, values["mitmdump"], values["werkzeugkoppler"], values["direct"], aim=aim)

    @classmethod
    def beyond_direct(
        cls, title: str, unit: str, values: Mapping[Name, float], aim: Aim | None = None
    ) -> Self:
        """A figure of what the proxies add to the direct way's value."""
        direct = values["direct"]
        added = {name: value - direct for name, value in values.items()}
        return cls(title, unit, added["mitmdump"], added["werkzeugkoppler"], direct, added=True, aim=aim)

    @property
    def ratio(self) -> float | None:
        """This proxy over plain mitmdump; None where that says nothing."""
        if self.mitmdump is None or self.mitmdump <= 0:
            return None
        return self.werkzeugkoppler / self.mitmdump

    @property
    def aim_met(self) -> bool | None:
        """None where there is no aim, or nothing to hold it against."""
        number = self._number()
        return None if self.aim is None or number is None else self.aim.is_met_by(number)

    def _number(self) -> float | None:
        if self.aim is None or self.aim.of == "ratio":
            return self.ratio
        if self.aim.of == "difference":
            return None if self.mitmdump is None else self.werkzeugkoppler - self.mitmdump
        return self.werkzeugkoppler


@dataclass(frozen=True, slots=True)
class Failure:
    """A measurement that got another answer than the one it asked for."""

    title: str
    reason: str
