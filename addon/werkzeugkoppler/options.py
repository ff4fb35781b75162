"""The mitmproxy options that the addon adds, reads and sets."""

import logging
import os

from mitmproxy import ctx
from mitmproxy.addonmanager import Loader
from mitmproxy.exceptions import OptionsError
from mitmproxy.proxy.mode_specs import ProxyMode, ReverseMode

from werkzeugkoppler.config import load
from werkzeugkoppler.config.address import is_loopback
from werkzeugkoppler.config.schema import Settings

DEAD_END = "http://127.0.0.1:1"
"""Where mitmproxy would carry a request that nobody answered: nothing listens on this port, and only root
could. The client gets 502, never the bare upstream."""

_LIBRARIES = ("aiohttp", "asyncio", "httpcore2", "httpx2", "mcp", "mitmproxy.proxy.server", "watchdog")


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
        OptionsError: The mode is none that the addon works in, or is open to everyone.
    """
    modes = _modes()
    if not all(isinstance(mode, ReverseMode) for mode in modes):
        raise OptionsError("Werkzeugkoppler answers requests itself: use --mode reverse:UPSTREAM@HOST:PORT")
    source = load.find(ctx.options.koppler_config or None, os.environ)
    settings = load.load(
        source.path, os.environ, optional=source.optional, fallback_upstream=_reverse_target(modes)
    )
    _check_reach(settings, [mode.listen_host(ctx.options.listen_host) for mode in modes])
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


def set_log_levels(level: str) -> None:
    """Put our loggers at the configured level, and the libraries' where they tell news only."""
    logging.getLogger("werkzeugkoppler").setLevel(level)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(level if level == "DEBUG" else "WARNING")


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


def _check_reach(settings: Settings, hosts: list[str]) -> None:
    """The same rule as for `service_base_url` (F5), for the address that mitmproxy really listens on."""
    if settings.service_api_key or settings.allow_unauthenticated:
        return
    for host in hosts:
        if not is_loopback(host):
            raise OptionsError(
                f"refusing to listen on {host or 'every address'} without a key: set service_api_key, "
                "listen on 127.0.0.1 (--mode reverse:UPSTREAM@127.0.0.1:PORT), "
                "or set allow_unauthenticated: true"
            )
