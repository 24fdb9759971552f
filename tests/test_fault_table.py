"""The table of faults in docs/faults.md says nothing that no test shows."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| (?!fault|---)(?P<fault>[^|]+) \| [^|]+ \| [^|]+ \| `(?P<test>test_\w+)` \|$")


def rows() -> list[tuple[str, str]]:
    lines = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").splitlines()
    found = [ROW.match(line) for line in lines if line.startswith("| ") and not line.startswith(("| fault", "| ---"))]
    assert all(found), "each row has four cells, the last of which names a test"
    return [(match["fault"], match["test"]) for match in found if match]


def names_of_tests() -> set[str]:
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob("test_*.py"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for tree in trees for node in tree.body if isinstance(node, kinds)}


def test_each_fault_has_a_test() -> None:
    """A row names a test that exists, one row a fault, and there are at least forty."""
    faults, tests = zip(*rows(), strict=True)
    assert len(set(faults)) == len(faults) >= 40
    assert set(tests) <= names_of_tests()


def test_each_fault_of_an_export_has_a_test() -> None:
    """The table of docs/export.md names tests that exist, too."""
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8").partition("## Faults")[2]
    named = re.findall(r"^\| [^|]+ \| [^|]+ \| `(test_\w+)` \|$", text, re.MULTILINE)
    assert len(named) >= 15
    assert set(named) <= names_of_tests()
