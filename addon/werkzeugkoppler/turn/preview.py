"""`safe_preview`: a leg's text is shown as reasoning until the leg is known to be the last."""

from typing import Any

MARKER = "\n\n---\n\n\n==> Preparation done. Preview of final assistant.content:\n\n"

type Delta = dict[str, Any]
type Choice = dict[str, Any]


class Preview:
    """The text that is held back (WK-126)."""

    def __init__(self) -> None:
        self._held: list[Choice] = []

    def hold(self, choice: Choice, delta: Delta, field: str) -> Delta:
        """Keep a choice's text, and give its delta with the text as reasoning.

        Args:
            delta: What the client may see of the choice's delta.
            field: The key for reasoning.
        """
        content = delta.get("content")
        if not isinstance(content, str) or not content:
            return delta
        marker = "" if self._held else MARKER
        self._held.append({**choice, "index": 0, "delta": {"content": content}, "finish_reason": None})
        rest = {key: value for key, value in delta.items() if key != "content"}
        return rest | {field: f"{delta.get(field) or ''}{marker}{content}"}

    def release(self) -> list[Choice]:
        """The choices that were held, once: the leg is the last."""
        held, self._held = self._held, []
        return held
