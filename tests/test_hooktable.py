"""The table of hooks calls what mitmproxy's own addon manager would call, in the same order."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy.addonmanager import AddonManager

from tests.hook_addons import (
    Acting,
    Awaited,
    Master,
    NamedAlike,
    Noting,
    NotingParent,
    Odd,
    Parent,
    PokeHook,
    Raising,
    Seen,
    Silent,
    Slow,
)
from werkzeugkoppler.hooktable import HookTable

# Scenes: the addons at the start, and what is done after the first events


type Scene = Callable[[AddonManager, Seen], Callable[[], object]]


def nothing() -> None:
    """Nothing changes."""


def order(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    manager.add(Noting("a", seen), Silent("b", seen), Slow("c", seen), Awaited("d", seen), Noting("e", seen))
    return nothing


def order_at_once(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    manager.add(Noting("a", seen), Silent("b", seen), Slow("c", seen), Noting("e", seen))
    return nothing


def sub_addons(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    inner = NotingParent("inner", seen, Noting("innermost", seen))
    outer = Parent("outer", seen, Silent("silent", seen), inner, Noting("last", seen))
    manager.add(Noting("first", seen), outer, NotingParent("bare", seen))
    return nothing


def faults(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    broken = Parent("p", seen, Raising("sub", seen, RuntimeError("sub fault")), Noting("unheard", seen))
    manager.add(Raising("a", seen, RuntimeError("a fault")), broken, Noting("b", seen))
    return nothing


def halt(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    manager.add(Noting("a", seen), Raising("b", seen, exceptions.AddonHalt()), Noting("c", seen))
    return nothing


def halt_below(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    parent = Parent("p", seen, Raising("sub", seen, exceptions.AddonHalt()), Noting("unheard", seen))
    manager.add(parent, Noting("c", seen))
    return nothing


def refusal(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    manager.add(Noting("a", seen), Raising("b", seen, exceptions.OptionsError("no")), Noting("c", seen))
    return nothing


def no_hook(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    manager.add(Parent("script", seen, Odd("sub", seen), Noting("unheard", seen)), Noting("b", seen))
    return nothing


def named_alike(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    manager.add(NamedAlike("a", seen), Parent("p", seen, NamedAlike("sub", seen)), Noting("b", seen))
    return nothing


def added(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    manager.add(Noting("a", seen))
    return lambda: manager.add(Silent("b", seen), Noting("c", seen))


def removed(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    leaving = Parent("leaving", seen, Noting("sub", seen))
    manager.add(Noting("a", seen), leaving, Noting("b", seen))
    return lambda: manager.remove(leaving)


def cleared(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    manager.add(Noting("a", seen), Noting("b", seen))
    return manager.clear


def added_below(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    parent = Parent("p", seen)
    manager.add(parent, Noting("b", seen))
    return lambda: parent.addons.append(manager.register(Noting("sub", seen)))


def removed_below(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    sub = Noting("sub", seen)
    parent = Parent("p", seen, sub)
    manager.add(parent, Noting("b", seen))

    def remove() -> None:
        manager.remove(sub)
        parent.addons.remove(sub)

    return remove


def refused_twice(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    manager.add(Noting("a", seen))

    def add_again() -> None:
        with pytest.raises(exceptions.AddonManagerError):
            manager.add(Noting("b", seen), Noting("a", seen))

    return add_again


def removed_meanwhile(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    leaving = Noting("leaving", seen)
    manager.add(Acting("a", seen, lambda: manager.remove(leaving)), leaving, Noting("b", seen))
    return nothing


def added_meanwhile(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    manager.add(Acting("a", seen, lambda: manager.add(Noting("new", seen))), Noting("b", seen))
    return nothing


def added_below_meanwhile(manager: AddonManager, seen: Seen) -> Callable[[], object]:
    parent = Parent("p", seen)
    act = Acting("a", seen, lambda: parent.addons.append(manager.register(Noting("sub", seen))))
    manager.add(act, parent, Noting("b", seen))
    return nothing


SCENES: tuple[Scene, ...] = (
    sub_addons,
    faults,
    halt,
    halt_below,
    refusal,
    no_hook,
    named_alike,
    added,
    removed,
    cleared,
    added_below,
    removed_below,
    refused_twice,
    removed_meanwhile,
    added_below_meanwhile,
)


# The comparison


async def play(
    kind: Callable[[Any], AddonManager], scene: Scene, caplog: pytest.LogCaptureFixture, *, at_once: bool
) -> Seen:
    """Play a scene: two events, the change, two events."""
    seen = Seen()
    caplog.clear()
    manager = Master(kind).addons
    change = scene(manager, seen)
    for number in range(4):
        if number == 2:
            change()
        try:
            if at_once:
                manager.trigger(PokeHook("you", number))
            else:
                await manager.trigger_event(PokeHook("you", number))
        except Exception as error:
            seen.raised.append(repr(error))
    seen.logged = [record.getMessage() for record in caplog.records]
    return seen


async def check(scene: Scene, caplog: pytest.LogCaptureFixture, *, at_once: bool) -> None:
    caplog.set_level(logging.INFO)
    expected = await play(AddonManager, scene, caplog, at_once=at_once)
    assert expected.calls
    assert await play(HookTable, scene, caplog, at_once=at_once) == expected


@pytest.mark.parametrize("scene", [order, *SCENES])
async def test_an_event_calls_what_the_original_calls(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    await check(scene, caplog, at_once=False)


@pytest.mark.parametrize("scene", [order_at_once, *SCENES])
async def test_an_event_at_once_calls_what_the_original_calls(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    await check(scene, caplog, at_once=True)


@pytest.mark.parametrize("at_once", [True, False])
async def test_who_is_added_during_an_event_is_called_in_it(
    at_once: bool, caplog: pytest.LogCaptureFixture
) -> None:
    await check(added_meanwhile, caplog, at_once=at_once)


async def test_options_reach_who_wants_to_know() -> None:
    class Configured(Silent):
        def configure(self, updated: set[str]) -> None:
            self.note(sorted(updated))

    seen = Seen()
    master = Master(HookTable)
    master.addons.add(Configured("a", seen), Silent("b", seen))
    master.options.update(rawtcp=False)
    assert seen.calls == [("a", ["rawtcp"])]


async def test_an_addon_is_not_asked_for_what_it_does_not_have() -> None:
    class Curious(Silent):
        asked = 0

        def __getattr__(self, name: str) -> Any:
            self.asked += name == "poke"
            raise AttributeError(name)

    manager = Master(HookTable).addons
    curious = Curious("a", Seen())
    manager.add(curious)
    await manager.trigger_event(PokeHook("you", 0))
    asked_first = curious.asked
    for number in range(9):
        await manager.trigger_event(PokeHook("you", number))
    assert curious.asked == asked_first
