"""The machine that the proxy runs on: Python, the packages, the time zone, the folder of the traces."""

import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo

from werkzeugkoppler.config.schema import Settings
from werkzeugkoppler.doctor.finding import Finding, Outcome

PACKAGE = "werkzeugkoppler"
NEEDED_PYTHON = (3, 13)
HOST_PACKAGE = "mitmproxy"

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*([^;]*)(;.*)?")
_BOUND = re.compile(r"(>=|<=|==|!=|<|>)\s*([\w.]+)")


def machine(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """What can be seen without asking anybody."""
    found = [_python(), *packages(_requirements(), _installed_version)]
    if settings.timezone is not None:
        now = datetime.now(ZoneInfo(settings.timezone))
        found.append(Finding("timezone", Outcome.OK, f"{settings.timezone}, where it is {now:%H:%M}"))
    return [*found, _traces(settings, environ)]


def _python() -> Finding:
    seen = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info >= NEEDED_PYTHON:
        return Finding("python", Outcome.OK, seen)
    return Finding("python", Outcome.FAIL, seen, "install Python 3.13 or newer")


# Packages


def packages(requirements: Iterable[str], version_of: Callable[[str], str | None]) -> list[Finding]:
    """A finding for mitmproxy, and one for all other packages.

    Args:
        requirements: As a package's metadata has them: `mitmproxy<13,>=12.2`.
        version_of: Gives the installed version, None where the package is not there.
    """
    fitting: list[str] = []
    wrong: list[str] = []
    host: list[Finding] = []
    for requirement in requirements:
        match = _REQUIREMENT.fullmatch(requirement.strip())
        if match is None or "extra ==" in (match[3] or ""):
            continue
        name, wanted = match[1], match[2].strip(" ()")
        version = version_of(name)
        is_right = version is not None and satisfies(version, wanted)
        seen = f"{name} {version or 'is missing'}" + ("" if is_right else f", wanted is {wanted}")
        if name == HOST_PACKAGE:
            host.append(_package_finding(HOST_PACKAGE, seen.removeprefix(f"{name} "), is_right))
        else:
            (fitting if is_right else wrong).append(seen)
    return [*host, _package_finding("packages", ", ".join(wrong or fitting), not wrong)]


def _package_finding(name: str, seen: str, is_right: bool) -> Finding:
    if is_right:
        return Finding(name, Outcome.OK, seen)
    return Finding(name, Outcome.FAIL, seen, "remove .venv and start ./run.sh again, or pip install .")


def satisfies(version: str, wanted: str) -> bool:
    """Whether a version lies within bounds such as `>=12.2,<13`; what follows the numbers is ignored."""
    have = _numbers(version)
    for operator, bound in _BOUND.findall(wanted):
        want = _numbers(bound)
        size = max(len(have), len(want))
        ours, theirs = have + (0,) * (size - len(have)), want + (0,) * (size - len(want))
        holds = {
            ">=": ours >= theirs,
            "<=": ours <= theirs,
            "==": ours == theirs,
            "!=": ours != theirs,
            "<": ours < theirs,
            ">": ours > theirs,
        }
        if not holds[operator]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def _requirements() -> list[str]:
    try:
        return metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []


def _installed_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


# Traces


def _traces(settings: Settings, environ: Mapping[str, str]) -> Finding:
    if not settings.traces.enabled:
        return Finding("traces", Outcome.OK, "switched off")
    folder = settings.traces.folder(environ)
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path("/"))
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        made = "" if there == folder else ", to be made by the first request"
        return Finding("traces", Outcome.OK, f"{folder}{made}")
    seen = f"{folder}: {there} is {'not writable' if there.is_dir() else 'no folder'}"
    return Finding(
        "traces", Outcome.FAIL, seen, "set traces.dir to a folder of yours, or traces.enabled: false"
    )
