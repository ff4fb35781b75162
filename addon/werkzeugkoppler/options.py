"""The mitmproxy options that the addon adds, reads and sets."""

import os
from functools import partial

from anyio import to_thread
from mitmproxy import ctx
from mitmproxy.addonmanager import Loader
from mitmproxy.exceptions import OptionsError
from mitmproxy.proxy.mode_specs import ProxyMode, ReverseMode

from werkzeugkoppler.config import load
from werkzeugkoppler.config.address import is_loopback
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.errors import ConfigError

DEAD_END = "http://127.0.0.1:1"
"""Where mitmproxy would carry a request that nobody answered: nothing listens on this port, and only root
could. The client gets 502, never the bare upstream."""


def add_options(loader: Loader) -> None:
    loader.add_option("koppler_config", str, "", "Werkzeugkoppler's config file.")
    loader.add_option(
        "koppler_upstream",
        str,
        "",
        "The upstream where the config names none. Set from the target of --mode reverse:TARGET.",
    )


def read_settings() -> Settings:
    """The settings for plain mitmproxy, where the options say what they are.

    The reverse target is the upstream where the config names none.

    Raises:
        ConfigError: The config cannot be used.
        OptionsError: The mode is none that the addon works in.
    """
    modes = _modes()
    if not all(isinstance(mode, ReverseMode) for mode in modes):
        raise OptionsError("Werkzeugkoppler answers requests itself: use --mode reverse:UPSTREAM@HOST:PORT")
    source = config_source()
    settings = load.load(
        source.path, os.environ, optional=source.optional, fallback_upstream=_reverse_target(modes)
    )
    check_reach(settings)
    return settings


def config_source() -> load.ConfigSource:
    """The config file for plain mitmproxy."""
    return load.find(ctx.options.koppler_config or None, os.environ)


async def read_settings_again(path: str) -> Settings:
    """The settings of a file that was changed while mitmproxy runs, under the launcher too.

    Raises:
        ConfigError: They cannot be used.
    """
    read = partial(load.load, path, os.environ, fallback_upstream=_reverse_target(_modes()))
    settings = await to_thread.run_sync(read)
    check_reach(settings)
    return settings


def pin() -> None:
    """Set what the addon relies on.

    The reverse target gives way to a dead end: a request that the addon does not answer must not reach it,
    also when the script is taken out or cannot be loaded again. Called when mitmproxy is running: it would
    not take a new mode before.
    """
    modes = _modes()
    ctx.options.update(
        koppler_upstream=_reverse_target(modes) or "",
        mode=[f"reverse:{DEAD_END}{_listen(mode)}" for mode in modes],
        connection_strategy="lazy",
        http2=False,
        store_streamed_bodies=True,
    )


def _modes() -> list[ProxyMode]:
    return [ProxyMode.parse(mode) for mode in ctx.options.mode]


def _reverse_target(modes: list[ProxyMode]) -> str | None:
    """What the user gave as the target, also after the dead end took its place."""
    targets = [_target(mode) for mode in modes if isinstance(mode, ReverseMode)]
    return next((target for target in targets if target != DEAD_END), ctx.options.koppler_upstream or None)


def _target(mode: ReverseMode) -> str:
    host, port = mode.address[:2]
    bracketed = f"[{host}]" if ":" in host else host
    return f"{mode.scheme}://{bracketed}:{port}"


def _listen(mode: ProxyMode) -> str:
    return f"@{mode.full_spec.rpartition('@')[2]}" if "@" in mode.full_spec else ""


def check_reach(settings: Settings) -> None:
    """The same rule as for `service_base_url` (F5), for the address that mitmproxy really listens on.

    Raises:
        ConfigError: Everyone could use it, and nobody said so.
    """
    if settings.service_api_key or settings.allow_unauthenticated:
        return
    for host in (mode.listen_host(ctx.options.listen_host) for mode in _modes()):
        if not is_loopback(host):
            problem = (
                f"refusing to listen on {host or 'every address'} without a key: set service_api_key, "
                "listen on 127.0.0.1 (--mode reverse:UPSTREAM@127.0.0.1:PORT), "
                "or set allow_unauthenticated: true"
            )
            raise ConfigError([problem])
