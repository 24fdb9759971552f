"""The wheel holds all that the folders hold: a package that is not listed would be missing without a word."""

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("traces", "proxy", "scoring", "harness")
NEEDED = ("pyproject.toml", "README.md", "LICENSE")


def setuptools_is_new_enough() -> bool:
    """Whether what pyproject.toml asks for stands in this environment; if not, pip makes one of its own."""
    if importlib.util.find_spec("setuptools") is None:
        return False
    return int(importlib.metadata.version("setuptools").split(".")[0]) >= 77


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy: what an earlier build left beside the sources would come along."""
    source = tmp_path_factory.mktemp("source")
    for name in NEEDED:
        shutil.copy(ROOT / name, source)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(source / "out"),
        str(source),
    ]
    if setuptools_is_new_enough():
        command.append("--no-build-isolation")
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert built.returncode == 0, built.stderr
    (path,) = (source / "out").glob("tachograph-*.whl")
    return zipfile.ZipFile(path)


def test_every_file_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """Each module, each data file and the marks that types are there; and nothing that another package could trip over."""
    expected = {
        f"tachograph/{path.relative_to(ROOT).as_posix()}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {f"tachograph/{package}/py.typed" for package in PACKAGES} <= expected
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found == expected


def test_the_command_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """`tachograph` is what a user types."""
    (entry_points,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    assert "tachograph = tachograph.harness._cli:main" in wheel.read(entry_points).decode()
