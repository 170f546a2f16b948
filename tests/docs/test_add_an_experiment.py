"""The page for strangers: what it tells to write and to run does what it says, in a folder of one's own."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest

from library.framework.serving.sockets import find_free_port
from tests.programs import MAKE, environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-an-experiment.md").read_text(encoding="utf-8")
WRITTEN = dict(re.findall(r"`((?:experiments|search_spaces)/\w+\.py)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL))
EXPERIMENTS = ("digits", "forecaster")
FILES = {name: {file: text for file, text in WRITTEN.items() if file.endswith(f"/{name}.py")} for name in EXPERIMENTS}
COMMANDS: dict[str, str] = dict(re.findall(r"```console\n\$ (.*?)\n(.*?)```", PAGE, re.DOTALL))
[(ELSEWHERE, ANSWER)] = re.findall(r"```python\n(import mlflow\n.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
[COMPARISON] = re.findall(r"```python\n(\"\"\"How wide.*?)```", PAGE, re.DOTALL)
TINY = {"train": ["EPOCHS=4"], "tune": ["EPOCHS=1", "TRIALS=2", "WORKERS=1"], "predict": []}


def copy_with(name: str, folder: Path) -> Path:
    """What git knows of, or would, and an experiment's files; with the environment of this process."""
    git = [shutil.which("git") or "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for file in filter(None, listed.split("\0")):
        if (ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
    (folder / ".venv").symlink_to(sys.prefix)
    for file, text in FILES[name].items():
        assert not (folder / file).exists()
        (folder / file).write_text(text, encoding="utf-8")
    for linter in ("format --check", "check"):
        run(f"{sys.executable} -m ruff {linter} {' '.join(FILES[name])}", folder)
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


@pytest.mark.parametrize(("name", "most"), [("digits", 45), ("forecaster", 75)])
def test_an_experiment_is_two_files_of_few_lines(name: str, most: int) -> None:
    assert list(FILES[name]) == [f"experiments/{name}.py", f"search_spaces/{name}.py"]
    lines = sum(len(text.splitlines()) for text in FILES[name].values())
    assert lines <= most
    assert re.search(rf"here {lines} lines (in all|for a {name})", PAGE)


@pytest.mark.nightly
def test_what_the_page_tells_to_do_does_what_it_shows(tmp_path: Path) -> None:
    folder = copy_with("digits", tmp_path / "copy")
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


@pytest.mark.nightly
def test_a_forecaster_is_trained_tuned_compared_asked_repeated_and_served(tmp_path: Path) -> None:
    folder = copy_with("forecaster", tmp_path / "copy")
    trained = rows(run("make train-forecaster EPOCHS=1 STEPS_PER_EPOCH=20", folder))
    assert trained["registered"] == "forecaster version 1, Production"
    assert list((folder / "mlruns").rglob("figures/forecasts.png"))
    tuned = rows(run("make tune-forecaster EPOCHS=1 STEPS_PER_EPOCH=20 TRIALS=2 WORKERS=1", folder))
    assert tuned["registered"].startswith("forecaster version 2, ")
    compared = run("make compare-forecaster EPOCHS=1 STEPS_PER_EPOCH=5", folder)
    assert re.findall(r"^\| (\d) \| (\d+) \|", compared, re.MULTILINE) == [*zip("1122", ("8", "32") * 2, strict=True)]
    assert len(json.loads(run(f"make predict-forecaster QUERY='{json.dumps([[0.5]] * 32)}'", folder))) == 8
    assert "the same to the last digit" in run(f"make repeat RUN={trained['run']}", folder)

    port = find_free_port()
    serve = [sys.executable, "-m", "experiments", "serve", "--model=forecaster", f"--port={port}"]
    with subprocess.Popen(serve, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            assert server.stdout.readline().startswith("forecaster version ")
            with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
                request = json.dumps({"inputs": [[[0.5]] * 32]})
                connection.request("POST", "/invocations", request, {"Content-Type": "application/json"})
                assert np.shape(json.loads(connection.getresponse().read())["predictions"]) == (1, 8)
        finally:
            server.kill()


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
