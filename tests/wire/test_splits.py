"""Every split of a stream is the stream."""

from tests.wire.splits import splits


def test_every_split_joins_to_the_whole() -> None:
    assert {b"".join(pieces) for pieces in splits(b"0123456789")} == {b"0123456789"}


def test_a_stream_is_cut_at_every_position() -> None:
    cuts = [len(pieces[0]) for pieces in splits(b"0123456789") if len(pieces) == 2]
    assert set(cuts) >= set(range(1, 10))
