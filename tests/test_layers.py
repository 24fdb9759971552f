"""The import law of the house: what crosses from recording to judging is a run's folder, and nothing else."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("traces", "proxy", "scoring", "harness")
MAY_IMPORT = {
    "traces": set[str](),
    "proxy": {"traces"},
    "scoring": {"traces"},
    "harness": {"traces", "proxy", "scoring"},
}
NO_NETWORK = {"traces", "scoring"}
NETWORK = {"aiohttp", "grpc", "httptools", "httpx", "httpx2", "requests", "socket", "urllib3", "uvloop"}
FORWARDERS_EDGES = {ROOT / "traces" / "export" / name for name in ("_grpc.py", "_http.py")}
"""Spans leave for a collector by `traces`, through these two and nothing else."""
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imports_of(path: Path) -> Iterator[str]:
    """Absolute names of all that a module imports, wherever in it: `tachograph.traces`, and `tachograph.traces.Call`."""
    package = ("tachograph", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(name, ".".join(package))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def own_package(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_keeps_the_import_law(path: Path) -> None:
    """Traces imports none of the others, proxy and scoring import traces, nobody imports harness, in one direction only."""
    package = own_package(path)
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] in NETWORK and path not in FORWARDERS_EDGES:
            assert package not in NO_NETWORK, f"{package} imports {name}, and has no business with the network"
        if parts[0] != "tachograph" or len(parts) == 1 or parts[1] == package:
            continue
        assert parts[1] in MAY_IMPORT[package], f"{package} may not import {name}"
        assert not [part for part in parts[2:] if part.startswith("_")], f"{name} is private to {parts[1]}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_packages_import_one_another_relatively(path: Path) -> None:
    """An absolute import would load a second copy where the folders are on the path."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").split(".")[0] not in {"tachograph", *PACKAGES}
        elif isinstance(node, ast.Import):
            assert not [alias.name for alias in node.names if alias.name.split(".")[0] in {"tachograph", *PACKAGES}]


def test_there_is_something_to_check() -> None:
    """All four packages are looked at."""
    assert {own_package(path) for path in MODULES} == set(PACKAGES)
    assert len(MODULES) > 30
    assert "tachograph.traces.InputError" in set(imports_of(ROOT / "proxy" / "_settings.py"))
