"""`make faults` runs, at a tiny scale, and nothing of it costs anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import programs
from tests.faults.__main__ import PARTS, main


@pytest.mark.slow
@pytest.mark.parametrize(
    "part", ["archives", *(pytest.param(part, marks=pytest.mark.nightly) for part in PARTS if part != "archives")]
)
def test_a_part_finds_no_fault(part: str) -> None:
    command = [sys.executable, "-m", "tests.faults", f"--ONLY={part}", "--SCALE=0.005"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=programs.environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, "FAULT" in done.stdout) == (0, False), done.stdout + done.stderr
    assert "0 faults" in done.stdout or "not measured" in done.stdout


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--only=kill", "error: only: got 'kill'; allowed are kills, disk"),
        ("--n=1", "error: unknown option 'n'; allowed"),
    ],
)
def test_what_does_not_exist_is_one_line(option: str, message: str) -> None:
    with pytest.raises(SystemExit, match=f"^{message}"):
        main([option])
