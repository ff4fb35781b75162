"""Follows the config file: a good one is put to work, a bad one leaves everything as it is (A3.14)."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from anyio import sleep

from werkzeugkoppler.config import watch
from werkzeugkoppler.config.change import changed_keys
from werkzeugkoppler.config.exposure import warnings
from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.errors import ConfigError

PATIENCE_SECONDS = 2.0
"""How long a file that cannot be used, or that would let everyone in, may be one that is being written."""

logger = logging.getLogger(__name__)


class Reloader:
    """One config file, and the settings that were last made of it.

    Args:
        path: The file.
        settings: Those that run.
        exists: Whether the file was there when they were made.
        read: Reads and checks the file, which must be there; raises ConfigError.
        apply: Puts new settings to work, or raises and leaves the old ones at work.
    """

    def __init__(
        self,
        path: Path,
        settings: Settings,
        *,
        exists: bool,
        read: Callable[[], Awaitable[Settings]],
        apply: Callable[[Settings], Awaitable[None]],
    ) -> None:
        self._path = path.absolute()
        self._settings = settings
        self._read = read
        self._apply = apply
        self._existed = exists
        self.error: str | None = None
        """Why the file, as it is now, is not what runs."""

    async def run(self) -> None:
        """Follow the file until cancelled."""
        await watch.follow(self._path, self.look)

    async def look(self, seen: watch.Signature) -> None:
        """Put the file to work where it can be.

        Args:
            seen: What was last seen of the file.
        """
        if seen is None:
            # Never what the environment says alone: the key would be lost with the file (A4 #39).
            if self._existed:
                logger.warning("%s is gone, the running configuration stays", self._path)
            self._existed = False
            return
        self._existed = True
        try:
            settings = await self._good_settings(seen)
            if settings is not None:
                await self._take(settings)
        except ConfigError as error:
            self._refuse("\n".join(error.problems))
        except Exception as error:  # boundary: what runs must go on
            logger.exception("A new configuration could not be put to work, the running one stays")
            self.error = f"{type(error).__name__}: {error}"

    async def _good_settings(self, seen: watch.Signature) -> Settings | None:
        """The file's settings; `None` where it is being written: that is told anew.

        Raises:
            ConfigError: It has been left as it is, and cannot be used.
        """
        if seen is not None and seen[1] == 0:
            problem: ConfigError = ConfigError([f"{self._path}: is empty: write `upstream_base_url: ...`"])
        else:
            try:
                settings = await self._read()
            except ConfigError as error:
                problem = error
            else:
                if self._settings.service_api_key and not settings.service_api_key:
                    await sleep(PATIENCE_SECONDS)  # the key may be in the half that is still to come
                # Read while it changed: half of one file and half of another.
                return settings if await watch.signature(self._path) == seen else None
        await sleep(PATIENCE_SECONDS)
        if await watch.signature(self._path) != seen:
            return None
        raise problem

    async def _take(self, settings: Settings) -> None:
        old = self._settings
        changed = changed_keys(old, settings)
        if not changed:
            if self.error is not None:
                logger.info("The configuration is again the one that runs")
            self.error = None
            return
        await self._apply(settings)
        self._settings, self.error = settings, None
        logger.info("Configuration reloaded: %s", ", ".join(changed))
        if "service_base_url" in changed:
            logger.warning("The change of service_base_url takes effect with a restart")
        for warning in [text for text in warnings(settings) if text not in warnings(old)]:
            logger.warning("%s", warning)

    def _refuse(self, problems: str) -> None:
        if problems != self.error:
            logger.warning("Configuration reload failed, the running one stays:\n%s", problems)
        self.error = problems
