"""What is remembered stays within its bounds."""

from dataclasses import dataclass

from werkzeugkoppler.turn.store import Bounds, Store


@dataclass
class Clock:
    seconds: float = 0

    def __call__(self) -> float:
        return self.seconds


def bounds(**overrides: int) -> Bounds:
    return Bounds(**{"entries": 10, "size": 100, "seconds": 60} | overrides)


def filled(clock: Clock) -> Store:
    store = Store(clock)
    for key in (b"a", b"b", b"c"):
        store.put(key, key.decode(), 10, bounds())
    return store


def kept(store: Store) -> list[str]:
    return [value for key in (b"a", b"b", b"c", b"d") if (value := store.get(key)) is not None]


def test_the_longest_unused_goes_first_where_there_are_too_many() -> None:
    store = filled(Clock())
    store.get(b"a")
    store.put(b"d", "d", 10, bounds(entries=3))
    assert kept(store) == ["a", "c", "d"]


def test_the_longest_unused_goes_first_where_they_are_too_large() -> None:
    store = filled(Clock())
    store.put(b"d", "d", 85, bounds())
    assert (kept(store), store.size) == (["c", "d"], 95)


def test_what_is_larger_than_all_may_be_takes_nothing_elses_place() -> None:
    store = filled(Clock())
    store.put(b"a", "large", 101, bounds())
    assert (kept(store), store.size) == (["b", "c"], 20)


def test_what_was_not_used_for_long_goes() -> None:
    clock = Clock()
    store = filled(clock)
    clock.seconds = 50
    store.get(b"b")
    clock.seconds = 70
    store.trim(bounds())
    assert (kept(store), len(store)) == (["b"], 1)


def test_an_entry_is_replaced_whole() -> None:
    store = filled(Clock())
    store.put(b"b", "new", 1, bounds())
    assert (kept(store), store.size) == (["a", "new", "c"], 21)
    store.drop(b"b")
    store.drop(b"b")
    assert (kept(store), store.size) == (["a", "c"], 20)
