"""The Makefile: it explains itself, and hands variables on as flags whatever is in them."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from experiments.__main__ import VERBS
from library.framework import discovery, environment
from library.framework.cli import parser
from library.framework.config import parse

ROOT = Path(__file__).parents[3]
MAKE = shutil.which("make") or "make"
# What an outer `make test` leaves in the environment would reach the make that is tested.
OUTER = {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "GNUMAKEFLAGS"}
# Not among them: a leading blank, which make itself strips from every variable.
AWKWARD = ["45+23", "7 - 88  ", "it's", "'", "''quoted'' and \"quoted\"", "a\\b", "#5", "*", "-1+1", "", "a;b&c|d"]


def run_make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in OUTER}
    return subprocess.run(
        [MAKE, "--no-print-directory", *arguments],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def make(*arguments: str, **environment: str) -> str:
    done = run_make(*arguments, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def would_run(*arguments: str, **environment: str) -> list[str]:
    """The words of the command that make would run, with the virtual environment taken as it is."""
    return shlex.split(make("--dry-run", "--assume-old=.venv/.installed", *arguments, **environment))


def test_make_alone_lists_every_target() -> None:
    listed = re.findall(r"^  make (\S+) +\S", make(), re.MULTILINE)
    declared = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert declared
    assert {"tune-%", "train-%", "compare-%", "predict-%", *declared[1].split()} == set(listed)
    assert make("help") == make()


@pytest.mark.parametrize("name", discovery.names())
def test_every_experiment_can_be_trained_and_tuned(name: str) -> None:
    assert would_run(f"train-{name}") == [".venv/bin/python", "-m", "experiments", "train", name]
    assert would_run(f"tune-{name}") == [".venv/bin/python", "-m", "experiments", "tune", name]


@pytest.mark.parametrize("name", discovery.names())
def test_the_command_that_a_run_records_is_one_of_make_that_trains_the_same_config(name: str) -> None:
    config = discovery.find(name).config(seed=3)
    line = environment.command("train", name, config.model_dump())
    verbs = {verb: options for verb, (_, options) in VERBS.items()}
    read = parser.read(would_run(*shlex.split(line)[1:])[3:], verbs, dict.fromkeys(verbs, ""))
    assert (read.verb, read.name, parse(type(config), read.fields)) == ("train", name, config)


def test_models_are_compared_with_each_other_and_with_baselines() -> None:
    run = [".venv/bin/python", "-m", "experiments"]
    assert would_run("compare", "STAGE=Staging") == [*run, "side-by-side", "--STAGE=Staging"]
    names = ("cae-baseline", "vae-baseline", "gan-baseline")
    assert would_run("compare-baselines", "CATS=my cats") == [
        word for name in names for word in (*run, "compare", name, "--CATS=my cats")
    ]


def test_variables_become_flags() -> None:
    words = would_run("tune-seq2seq", "TRIALS=50", "units=128", "TRAIN_FRACTION=0.1")
    assert words[:5] == [".venv/bin/python", "-m", "experiments", "tune", "seq2seq"]
    assert sorted(words[5:]) == ["--TRAIN_FRACTION=0.1", "--TRIALS=50", "--units=128"]


@pytest.mark.parametrize("value", AWKWARD)
def test_a_value_arrives_as_it_was_given(value: str) -> None:
    assert would_run("predict", f"QUERY={value}")[3:] == ["predict", "seq2seq", f"--QUERY={value}"]
    assert would_run("train-seq2seq", f"STORE={value}")[3:] == ["train", "seq2seq", f"--STORE={value}"]


def test_what_make_runs_is_what_the_command_line_reads() -> None:
    verbs = {verb: options for verb, (_, options) in VERBS.items()}
    words = would_run("tune-seq2seq", "STORE=it's a  store", "TRIALS=5", "LEARNING_RATE=0.01")
    command = parser.read(words[3:], verbs, dict.fromkeys(verbs, ""))
    assert command.options == {"store": "it's a  store", "trials": "5"}
    assert command.fields == {"learning_rate": "0.01"}


def test_a_verb_of_no_experiment_has_a_target_too() -> None:
    words = would_run("generate", "MODEL=vae", "N=3", "OUT=it's.png")
    assert words[2:4] == ["experiments", "generate"]
    assert sorted(words[4:]) == ["--MODEL=vae", "--N=3", "--OUT=it's.png"]


def test_the_port_to_serve_on_is_passed_on_if_it_is_given() -> None:
    assert would_run("serve", "MODEL=tiny")[3:] == ["serve", "--MODEL=tiny"]
    assert sorted(would_run("serve", "MODEL=tiny", "PORT=5002")[3:]) == ["--MODEL=tiny", "--PORT=5002", "serve"]


def test_only_variables_of_the_command_line_become_flags() -> None:
    assert would_run("train-seq2seq", UNITS="7", STORE="elsewhere")[5:] == []
    assert would_run("train-seq2seq", "PYTHON=python3.12", "PORT=5001")[5:] == []


@pytest.mark.parametrize(
    ("target", "given", "expected"),
    [
        (
            "ui",
            ["STORE=/some where"],
            "cd '/some where' && .* mlflow.db .*/mlflow. ui .* --host 127.0.0.1 --port 5000 ",
        ),
        ("ui", ["PORT=5001"], "cd 'mlruns' && .* --host 127.0.0.1 --port 5001 .*mlflow.db"),
        ("dashboard", [], "cd 'mlruns' && .*/optuna-dashboard. --host 127.0.0.1 --port 5000 .*optuna.db"),
    ],
)
def test_pages_are_shown_from_the_store_on_the_port_asked_for_to_this_machine_alone(
    target: str, given: list[str], expected: str
) -> None:
    assert re.search(expected, make("--dry-run", "--assume-old=.venv/.installed", target, *given))


def test_pages_of_a_store_that_is_not_there_are_one_line(tmp_path: Path) -> None:
    done = run_make("--assume-old=.venv/.installed", "ui", f"STORE={tmp_path}")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: no store in {tmp_path}; train or tune first")


def test_a_target_that_does_not_exist_is_an_error() -> None:
    done = subprocess.run([MAKE, "--dry-run", "nope"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nope" in done.stderr
