"""Imports go one way, and each foreign library has its place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "werkzeugkoppler"
ADDON = Path(__file__).parent.parent / "addon"
FILES = sorted((ADDON / PACKAGE).rglob("*.py"))

LAYERS = (
    {"main", "cli"},
    {"doctor", "inspecting", "explain", "playing"},
    {"launched"},
    {"proxy"},
    {"delivery"},
    {"drain"},
    {"admission"},
    {"visit"},
    {
        "again",
        "source",
        "upload",
        "start",
        "options",
        "hooktable",
        "banner",
        "logs",
        "reload",
        "payloads",
        "views",
        "webpage",
        "retention",
        "ending",
    },
    {"endpoints"},
    {"stacks"},
    {"stack"},
    {"turn", "direct"},
    {"tools", "upstreams"},
    {"trace_writer"},
    {"exchange", "traces"},
    {"recording", "held"},
    {"flows", "labels"},
    {"gate", "config"},
    {"wire"},
    {"errors"},
)
"""From the top down: a file may import from its own layer's name and from the layers below.

Names on one line know nothing of each other.
"""

HOMES = {
    "mitmproxy": {
        "main",
        "cli",
        "launched",
        "proxy",
        "admission",
        "again",
        "recording",
        "options",
        "hooktable",
        "exchange",
        "flows",
        "held",
        "labels",
        "views",
        "visit",
        "delivery",
        "logs",
        "payloads",
        "playing",
        "retention",
        "webpage",
    },
    "aiohttp": {"upstreams", "doctor"},
    "mcp": {"tools.mcp_servers"},
    "tornado": {"webpage"},
    "watchfiles": {"config.watch"},
    "rich": {"inspecting"},
}
"""Who may import a library; all others are told of it in our own terms."""

PURE = ("wire", "gate", "turn.prompt", "direct.parse")
"""Where nothing is awaited but a body's pieces, and no socket and no clock is known."""
EFFECTS = {
    "asyncio",
    "anyio",
    "socket",
    "time",
    "datetime",
    "random",
    "secrets",
    "threading",
    "subprocess",
    "os",
}


def module_name(file: Path) -> str:
    """The dotted name within the package, empty for the package itself."""
    parts = file.relative_to(ADDON / PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(file: Path) -> Iterator[str]:
    """The dotted names that a file imports, whatever block they stand in."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, home: str) -> bool:
    return name == home or name.startswith(f"{home}.")


def layer(name: str) -> int:
    """How deep the layer of a module lies."""
    top = name.partition(".")[0]
    (depth,) = (depth for depth, names in enumerate(LAYERS) if top in names)
    return depth


ours = pytest.mark.parametrize("file", [f for f in FILES if module_name(f)], ids=module_name)


@ours
def test_imports_go_down(file: Path) -> None:
    name = module_name(file)
    for imported in imports(file):
        used = imported.removeprefix(f"{PACKAGE}.")
        if used == imported or used == "__version__":
            continue
        same = used.partition(".")[0] == name.partition(".")[0]
        assert same or layer(used) > layer(name), f"{name} imports {used}"


@ours
def test_a_library_is_imported_where_it_belongs(file: Path) -> None:
    name = module_name(file)
    for imported in imports(file):
        homes = HOMES.get(imported.partition(".")[0])
        assert homes is None or any(is_within(name, home) for home in homes), f"{name} imports {imported}"


@pytest.mark.parametrize(
    "file", [f for f in FILES if any(is_within(module_name(f), pure) for pure in PURE)], ids=module_name
)
def test_the_pure_core_has_no_effects(file: Path) -> None:
    assert not EFFECTS & {imported.partition(".")[0] for imported in imports(file)}
    assert not [n for n in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(n, ast.Await)]


def test_what_mitmproxy_loads_is_small() -> None:
    text = (ADDON / "main.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 30
    assert sorted(file.name for file in ADDON.glob("*.py")) == ["main.py"]


def test_imports_are_found_in_every_form(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("import a.b, c\nfrom d.e import f, g\ndef h():\n    import i\n", encoding="utf-8")
    assert list(imports(file)) == ["a.b", "c", "d.e.f", "d.e.g", "i"]
