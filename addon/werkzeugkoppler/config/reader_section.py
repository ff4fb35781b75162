"""The section that describes a reader: a command that fetches what belongs to the user's last message."""

import re
import shlex
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from werkzeugkoppler.config.section import NonBlank, Seconds, Section, Texts


class Reader(Section):
    """A command that is run once a turn; what it prints stands in for its placeholder."""

    name: NonBlank
    arguments: Texts | None = None
    """None: `command` is a whole command line, to be split as a shell would."""
    command: NonBlank
    run_path: str | None = None
    timeout: Seconds = 60
    max_output_bytes: Annotated[int, Field(ge=1)] = 262144

    @field_validator("name")
    @classmethod
    def _fit_for_a_placeholder(cls, name: str) -> str:
        if re.search(r"[{}\n]", name) or name != name.strip():
            raise ValueError("cannot stand in a placeholder: leave off braces and the spaces around it")
        return name

    # `arguments` stands above: only then is it known here.
    @field_validator("command")
    @classmethod
    def _splits(cls, command: str, info: ValidationInfo) -> str:
        if info.data.get("arguments", ()) is None:
            try:
                shlex.split(command)
            except ValueError:
                text = "has a quote or a backslash that is not closed: close it, or write the arguments apart"
                raise ValueError(text) from None
        return command
