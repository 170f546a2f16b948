"""The page for strangers: what it tells to write and to run does what it says, in a folder of one's own."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import MAKE, environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-an-experiment.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"`((?:experiments|search_spaces)/\w+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL))
COMMANDS: dict[str, str] = dict(re.findall(r"```console\n\$ (.*?)\n(.*?)```", PAGE, re.DOTALL))
[(ELSEWHERE, ANSWER)] = re.findall(r"```python\n(import mlflow\n.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
[COMPARISON] = re.findall(r"```python\n(\"\"\"How wide.*?)```", PAGE, re.DOTALL)
TINY = {"train": ["EPOCHS=4"], "tune": ["EPOCHS=1", "TRIALS=2", "WORKERS=1"], "predict": []}


def copy_of_the_repository(folder: Path) -> Path:
    """What git knows of, or would; with the environment of this process, as setting one up takes minutes."""
    git = [shutil.which("git") or "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def run(command: str, folder: Path) -> str:
    """What a command prints; make is told that the environment is there."""
    typed = command.replace("make ", f"{MAKE} --no-print-directory --assume-old=.venv/.installed ", 1)
    options = {"cwd": folder, "env": environment("PYTHONPATH"), "capture_output": True, "text": True}
    done = subprocess.run(["/bin/sh", "-c", typed], check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(printed: str) -> dict[str, str]:
    """A table's rows by their names."""
    return dict(re.findall(r"^│ *(\S.*?) *│ *(\S.*?) *│$", printed, re.MULTILINE))


def test_a_stranger_writes_two_files_of_at_most_45_lines_in_all() -> None:
    assert list(FILES) == ["experiments/digits.py", "search_spaces/digits.py"]
    lines = sum(len(text.splitlines()) for text in FILES.values())
    assert lines <= 45
    assert f"here {lines} lines in all" in PAGE
    assert not any((ROOT / name).exists() for name in FILES)


@pytest.mark.slow
def test_what_the_page_tells_to_do_does_what_it_shows(tmp_path: Path) -> None:
    folder = copy_of_the_repository(tmp_path / "copy")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    run(f"{sys.executable} -m ruff format --check {' '.join(FILES)}", folder)
    run(f"{sys.executable} -m ruff check {' '.join(FILES)}", folder)

    comparison = folder / "experiments" / "comparisons" / "digits_width.py"
    comparison.write_text(COMPARISON, encoding="utf-8")
    printed = {}
    for command in COMMANDS:
        verb = command.removeprefix("make ").partition("-")[0]
        printed[verb] = run(" ".join([command, *TINY[verb]]), folder)
    shown = {command.removeprefix("make ").partition("-")[0]: output for command, output in COMMANDS.items()}
    assert list(shown) == ["train", "tune", "predict"]

    for verb in ("train", "tune"):
        assert rows(printed[verb]).keys() == rows(shown[verb]).keys() != set()
    assert rows(printed["train"])["registered"] == rows(shown["train"])["registered"] == "digits version 1, Production"
    assert rows(printed["tune"])["registered"].startswith("digits version 2, ")
    assert printed["predict"] == shown["predict"]

    compared = run("make compare-digits-width EPOCHS=1", folder)
    assert re.findall(r"^\| (\d+) \|", compared, re.MULTILINE) == ["8", "32", "128"]

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "plain.py").write_text(ELSEWHERE.replace("/path/to", str(folder)), encoding="utf-8")
    assert run(f"{sys.executable} plain.py", elsewhere) == ANSWER


def test_what_the_page_says_of_the_contract_is_true() -> None:
    from library import Config, Experiment, Run

    told = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert told == {"Config", "objectives", "load", "fit", "test", "package"}
    assert not hasattr(Experiment, "Config")
    assert not hasattr(Experiment, "objectives")
    empty = Experiment(Config())
    for name, arguments in {"load": (), "fit": (Run(),), "test": (None, Run()), "package": (None, ROOT)}.items():
        with pytest.raises(NotImplementedError):
            getattr(empty, name)(*arguments)
