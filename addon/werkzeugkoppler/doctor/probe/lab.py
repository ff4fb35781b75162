"""What an experiment works with: the gateway, the upstream behind it, and the requests for the two."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from werkzeugkoppler.doctor.probe.gateway import Gateway
from werkzeugkoppler.doctor.probe.scripted import Respond, Scenario, ScriptedUpstream


@dataclass(frozen=True, slots=True)
class Lab:
    """A gateway, and the scripted upstream behind it where there is one."""

    gateway: Gateway
    upstream: ScriptedUpstream | None
    model: str | None

    @property
    def patience(self) -> float:
        """Seconds to wait for one thing that should come by itself."""
        return self.gateway.patience

    @contextmanager
    def scene(self, respond: Respond) -> Iterator[Scenario]:
        """A scenario at the upstream, for as long as it is used."""
        assert self.upstream is not None, "experiments with a scene are run with an upstream only"
        with self.upstream.scene(respond) as scenario:
            yield scenario

    def body(self, text: str = "Say hello.", **fields: Any) -> dict[str, Any]:
        """A chat request with one user message."""
        named = {} if self.model is None else {"model": self.model}
        return named | {"messages": [{"role": "user", "content": text}]} | fields

    def ask(self, scenario: Scenario, **fields: Any) -> dict[str, Any]:
        """A chat request that the upstream answers with a scenario."""
        return self.body(scenario.prompt, **fields)

    def stream(self, scenario: Scenario, **fields: Any) -> dict[str, Any]:
        """The same, streamed."""
        return self.ask(scenario, stream=True, **fields)
