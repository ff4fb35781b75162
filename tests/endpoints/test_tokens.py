"""Tokens are counted where that takes no download, and estimated elsewhere."""

import hashlib
from pathlib import Path

import pytest

from werkzeugkoppler.endpoints.tokens import ESTIMATED, MAX_COUNTED_CHARACTERS, VOCABULARY_NAME, known_tokens

TOKENIZER = """
class Words:
    def encode_ordinary(self, text):
        return text.split()

def get_encoding(name):
    assert name == "o200k_base"
    return Words()
"""
VOCABULARY = b"a vocabulary"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a vocabulary, and a tokenizer that can be imported."""
    (tmp_path / "tiktoken.py").write_text(TOKENIZER, encoding="utf-8")
    (tmp_path / VOCABULARY_NAME).write_bytes(VOCABULARY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "tiktoken", raising=False)
    return tmp_path


def test_a_tokenizer_with_its_vocabulary_counts(folder: Path) -> None:
    tokens = known_tokens({"TIKTOKEN_CACHE_DIR": str(folder)}, hashlib.sha256(VOCABULARY).hexdigest())
    assert tokens.kind == "counted" and tokens.count("three words here") == 3
    assert tokens.count("x" * (MAX_COUNTED_CHARACTERS + 1)) == MAX_COUNTED_CHARACTERS // 4 + 1


def test_a_vocabulary_that_would_be_fetched_anew_is_not_used(folder: Path) -> None:
    assert known_tokens({"TIKTOKEN_CACHE_DIR": str(folder)}) is ESTIMATED


@pytest.mark.parametrize("environ", [{}, {"TIKTOKEN_CACHE_DIR": "/no/such/folder"}])
def test_without_a_vocabulary_nothing_is_downloaded(folder: Path, environ: dict[str, str]) -> None:
    assert known_tokens(environ) is ESTIMATED


def test_an_estimate_is_a_quarter_of_the_characters() -> None:
    assert [ESTIMATED.count(text) for text in ("", "a", "four", "fives")] == [0, 1, 1, 2]
