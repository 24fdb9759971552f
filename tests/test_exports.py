"""What a package offers is what it names, and all of it is described."""

import ast
import importlib
import inspect
import itertools
from pathlib import Path
from types import ModuleType

import pytest

SUBPACKAGES = ["axes", "check", "formats", "integrity", "stats", "transcript", "workdir"]
OF_TRACES = ["traces.export", "traces.export.profiles", "traces.sql", "traces.warehouse"]
PACKAGES = ["traces", "proxy", "scoring", "harness", *OF_TRACES, *(f"scoring.{name}" for name in SUBPACKAGES)]


def package(name: str) -> ModuleType:
    return importlib.import_module(f"tachograph.{name}")


def visible(module: ModuleType) -> set[str]:
    """Names without an underscore, but for the package's own subpackages, which are there once somebody imports them."""
    own = {
        name
        for name, thing in vars(module).items()
        if getattr(thing, "__package__", None) == f"{module.__name__}.{name}"
    }
    return {name for name in vars(module) if not name.startswith("_")} - own


@pytest.mark.parametrize("name", PACKAGES)
def test_what_is_visible_is_what_is_exported(name: str) -> None:
    """No name leaks by an import, and none is promised that is not there."""
    module = package(name)
    assert visible(module) == set(getattr(module, "__all__", ()))
    assert inspect.getdoc(module)


def exports() -> list[tuple[str, str]]:
    return [(name, export) for name in PACKAGES for export in getattr(package(name), "__all__", ())]


@pytest.mark.parametrize(("name", "export"), exports(), ids=str)
def test_every_export_is_described(name: str, export: str) -> None:
    """Classes and functions by a docstring of their own; a constant or an alias by the string below it."""
    thing = getattr(package(name), export)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        doc = thing.__doc__
        assert doc, f"{export} has no docstring"
        assert not doc.startswith(f"{export}("), f"{export} has only the signature that dataclass wrote"
        return
    assert export in described_constants(package(name)), f"{export} has no string below it"


def described_constants(module: ModuleType) -> set[str]:
    """Names of assignments in a package's modules that a string follows."""
    found: set[str] = set()
    for path in Path(module.__path__[0]).glob("_*.py"):
        for statement, following in itertools.pairwise(ast.parse(path.read_text()).body):
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
                found.update(target.id for target in targets if isinstance(target, ast.Name))
    return found
