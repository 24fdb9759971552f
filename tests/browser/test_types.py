"""The programs of the page, and the document that they read, are of the types that they say."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring.pages import read_page
from tests.browser.conftest import part
from tests.record_exported_run import RUN, record

pytestmark = pytest.mark.browser

BROWSER = Path(__file__).parents[2] / "scoring" / "pages" / "browser"
OPTIONS = {
    "allowJs": True,
    "checkJs": True,
    "noEmit": True,
    "strict": True,
    "noImplicitReturns": True,
    "noUnusedLocals": False,
    "target": "es2022",
    "lib": ["es2022", "dom", "dom.iterable"],
    "types": [],
}


def check(place: Path, *files: Path) -> None:
    project = place / "tsconfig.json"
    project.write_text(json.dumps({"compilerOptions": OPTIONS, "files": [str(file) for file in files]}))
    done = subprocess.run([part(".bin/tsc"), "-p", project], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[:5000]


def test_the_programs_fit_together(tmp_path: Path) -> None:
    """By TypeScript's strict checker: each name is known, and each value may be null where it says so, only."""
    check(tmp_path, *sorted(BROWSER.glob("*.js")), *BROWSER.glob("*.d.ts"))


def test_a_real_document_fits_its_form(tmp_path: Path) -> None:
    """What Python makes is what the browser's programs were checked against."""
    record(tmp_path / "runs")
    document: Any = read_page(tmp_path / "runs" / RUN).document
    written = tmp_path / "document.ts"
    written.write_text(f"const made: PageDocument = {json.dumps(document)};\n")
    check(tmp_path, written, *BROWSER.glob("*.d.ts"))
