"""Clients that others wrote, and the environments that they run in.

An environment is made on the first use and kept within `.venv`. Each client has its own, because they do not
agree on the versions of what they share.
"""

import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree, which
from typing import ClassVar, Final

from tests.e2e.launch import ROOT

ENVIRONMENTS: Final = ROOT / ".venv" / "clients"
DRIVERS: Final = "tests.clients.drivers"
INSTALL_SECONDS: Final = 120.0
"""An installation that takes longer is given up; the largest takes half a minute with nothing cached."""


class NotInstalled(Exception):
    """A client's packages cannot be had here; the text says why."""


@dataclass(frozen=True)
class Errors:
    """The types that a client raises; one that is derived from them will do."""

    refused: str
    """For a 401."""
    failed: str
    """For a 500."""
    broken: str
    """For an error within a stream."""


@dataclass(frozen=True, kw_only=True)
class Client(ABC):
    """A client and how it is run."""

    name: str
    packages: Sequence[str]
    """What is installed, each with a range of versions."""
    driver: str
    """A module or a file of `drivers/`."""
    errors: Errors
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of its environment."""

    programs: ClassVar[Sequence[str]] = ()
    """What has to be on this machine already."""

    @abstractmethod
    def installing(self, folder: Path) -> list[list[str]]:
        """The command lines that make its environment in an empty folder."""

    @abstractmethod
    def running(self, folder: Path) -> list[str]:
        """The command line that runs its driver."""


class PythonClient(Client):
    """In a virtual environment."""

    def installing(self, folder: Path) -> list[list[str]]:
        make = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-compile"]
        return [make, [*pip, *quiet, *self.packages]]

    def running(self, folder: Path) -> list[str]:
        return [str(folder / "bin" / "python"), "-m", f"{DRIVERS}.{self.driver}"]


class NodeClient(Client):
    """With `node_modules`, which the driver finds by NODE_PATH."""

    programs = ("node", "npm")

    def installing(self, folder: Path) -> list[list[str]]:
        quiet = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
        return [["npm", "install", "--prefix", str(folder), *quiet, *self.packages]]

    def running(self, folder: Path) -> list[str]:
        driver = ROOT.joinpath(*DRIVERS.split("."), self.driver)
        return ["env", f"NODE_PATH={folder / 'node_modules'}", "node", str(driver)]


def missing(client: Client) -> Sequence[str]:
    """The programs that a client needs and this machine has not."""
    return [program for program in client.programs if not which(program)]


def installed(client: Client) -> Path:
    """The folder of a client's environment, made anew where it is not what is asked for.

    Raises:
        NotInstalled: It cannot be made.
    """
    folder = ENVIRONMENTS / client.name
    stamp = folder / "installed"
    wanted = "\n".join([sys.version, *client.packages])
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return folder
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for line in client.installing(folder):
        _run(line)
    stamp.write_text(wanted, encoding="utf-8")
    return folder


def _run(line: Sequence[str]) -> None:
    try:
        subprocess.run(line, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"{line[0]} took longer than {INSTALL_SECONDS:.0f} seconds") from error
    except subprocess.CalledProcessError as error:
        raise NotInstalled(_complaint(error.stderr)) from error


def _complaint(output: str) -> str:
    """The first line that tells of an error; pip and npm write many around it."""
    lines = output.splitlines()
    return next((line for line in lines if "error" in line.lower()), output[-200:])
