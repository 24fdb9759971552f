"""The soak of `make soak`, made short."""

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).with_name("benchmarks") / "soak.py"


def test_a_short_soak_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Two workers, streams open, a worker killed: every call that ended is there, and every hash is right."""
    options = ["--calls", "800", "--streams", "40", "--chunks", "10", "--kills", "2"]
    done = subprocess.run([sys.executable, SOAK, *options], capture_output=True, text=True, timeout=200, check=False)
    with capsys.disabled():
        sys.stdout.write(f"\n{done.stdout}")
    said = done.stdout
    assert "finished calls lost 0, requests unaccounted 0, wrong answers 0, wrong hashes 0" in said, said + done.stderr
    assert "workers killed 2" in said
    assert "sealed" in said
