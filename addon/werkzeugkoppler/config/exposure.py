"""Who can use the service besides its owner, said at every start."""

from werkzeugkoppler.config.address import is_every_address, is_loopback
from werkzeugkoppler.config.schema import Settings


def warnings(settings: Settings) -> list[str]:
    """A sentence for each way in which the service is open (F5, OW-10, OW-12)."""
    found = []
    if settings.service_api_key is None and is_loopback(settings.host):
        found.append(f"no service_api_key is set: anyone on this machine can use {settings.service_base_url}")
    elif settings.service_api_key is None:
        found.append(
            f"allow_unauthenticated is on: anyone who reaches {settings.service_base_url} can use it,"
            " its tools included"
        )
    if is_every_address(settings.host):
        found.append(
            f"service_base_url listens on every address of this machine ({settings.host}):"
            " whoever reaches one of them reaches the service"
        )
    return found
