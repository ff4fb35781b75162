"""The ways in which a network may cut a byte stream into pieces."""

from collections.abc import Iterator
from typing import Final

ODD_SIZES: Final = (2, 3, 7, 61)
"""Lengths in bytes that no protocol has a reason to use."""


def splits(data: bytes, cut_every: int = 1) -> Iterator[list[bytes]]:
    """Whole, byte by byte, in odd lengths, and cut in two at every position, or at each so many bytes."""
    yield [data]
    for size in (1, *ODD_SIZES):
        yield [data[start : start + size] for start in range(0, len(data), size)]
    for cut in range(cut_every, len(data), cut_every):
        yield [data[:cut], data[cut:]]
