"""What every part of the configuration shares: how strictly a value is taken, and the types of values."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A mapping of the configuration file whose keys are known; any other key is an error (WK-20)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, data: Any) -> Any:
        # A key with nothing after it is not written (WK-22, WK-24). An unknown one stays, to be an error.
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty: write something here, or remove the entry")
    return text


def _api_key(text: str) -> str | None:
    # A file or a shell often leaves a line break at the end, which no request can carry.
    stripped = text.strip()
    if not stripped.isprintable():
        raise ValueError("has a line break or another control character inside: write it as one line")
    return stripped or None


def _at_least_one(number: int) -> int:
    return max(1, number)


NonBlank = Annotated[str, AfterValidator(_not_blank)]
"""Text with at least one character that is not a space."""

ApiKey = Annotated[str, AfterValidator(_api_key)]
"""A secret; the spaces around it do not count, and an empty one is none."""

Seconds = Annotated[float, Field(gt=0)]
"""A length of time above zero."""

FlooredAtOne = Annotated[int, AfterValidator(_at_least_one)]
"""A count where anything below 1 means 1."""

a_tuple_of = BeforeValidator(_tuple)
"""Takes a list of the file for a tuple, which nobody can change later."""

Texts = Annotated[tuple[str, ...], a_tuple_of]
"""A list of texts."""
