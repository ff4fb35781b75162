"""What tells two configurations apart, in keys alone: a value may be a secret."""

from werkzeugkoppler.config.schema import Settings


def changed_keys(old: Settings, new: Settings) -> list[str]:
    """The keys at the top whose values differ, in the schema's order."""
    return [name for name in Settings.model_fields if getattr(old, name) != getattr(new, name)]
