"""How many tokens a text has: counted where a tokenizer is at hand, estimated elsewhere."""

import hashlib
import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ENCODING = "o200k_base"
"""OpenAI's of 2024. Other models cut otherwise: a count is closer than an estimate, and exact for few."""
VOCABULARY_NAME = hashlib.sha1(
    f"https://openaipublic.blob.core.windows.net/encodings/{ENCODING}.tiktoken".encode(),
    usedforsecurity=False,
).hexdigest()
VOCABULARY_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""openai/tiktoken:tiktoken_ext/openai_public.py, where another file would be fetched anew."""

CHARACTERS_A_TOKEN = 4
"""The usual rule for English prose; JSON and other languages have more tokens than it says."""
MAX_COUNTED_CHARACTERS = 1024 * 1024
"""Above, a text is estimated: counting takes a second for each few megabytes."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A way to know how many tokens a text has."""

    kind: str
    """`counted` or `estimated`."""
    count: Callable[[str], int]


def estimate(text: str) -> int:
    """A guess from the length alone, rounded up."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


ESTIMATED = Tokens("estimated", estimate)


def known_tokens(environ: Mapping[str, str] = os.environ, sha256: str = VOCABULARY_SHA256) -> Tokens:
    """The best way there is: tiktoken, if it is installed and need not download its vocabulary.

    For a thread: it reads a file of a few megabytes.

    Args:
        environ: Says where the vocabulary is, in `TIKTOKEN_CACHE_DIR`.
        sha256: Of the vocabulary.
    """
    folder = environ.get("TIKTOKEN_CACHE_DIR")
    if not folder or not _is_there(Path(folder) / VOCABULARY_NAME, sha256):
        return ESTIMATED
    try:
        encode = importlib.import_module("tiktoken").get_encoding(ENCODING).encode_ordinary
    except Exception:  # boundary: whatever is wrong with a library that is not ours, there is an estimate
        return ESTIMATED
    return Tokens("counted", lambda text: _count(encode, text))


def _count(encode: Callable[[str], list[int]], text: str) -> int:
    return estimate(text) if len(text) > MAX_COUNTED_CHARACTERS else len(encode(text))


def _is_there(vocabulary: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(vocabulary.read_bytes()).hexdigest() == sha256
    except OSError:
        return False
