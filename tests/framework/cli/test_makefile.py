"""The Makefile: it explains itself, and hands variables on as flags whatever is in them."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

import experiments
from library.framework import discovery, environment
from library.framework.cli.commands import COMMANDS
from library.framework.cli.parser import read
from tests import programs

ROOT = Path(__file__).parents[3]
# Not among them: a leading blank, which make itself strips from every variable.
AWKWARD = ["45+23", "7 - 88  ", "it's", "'", "''quoted'' and \"quoted\"", "a\\b", "#5", "*", "-1+1", "", "a;b&c|d"]


def run_make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs.MAKE, "--no-print-directory", *arguments],
        cwd=ROOT,
        env=programs.environment() | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def make(*arguments: str, **environment: str) -> str:
    done = run_make(*arguments, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def would_run(*arguments: str, **environment: str) -> list[str]:
    """The words of the commands that make would run, with the virtual environment taken as it is."""
    return shlex.split(make("--dry-run", "--assume-old=.venv/.installed", *arguments, **environment))


def test_make_alone_lists_every_target_with_all_that_its_line_says() -> None:
    assert max(map(len, make().splitlines())) <= 80
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)", re.sub(r"\n {25}", " ", make()), re.MULTILINE))
    text = (ROOT / "Makefile").read_text()
    declared = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert declared
    assert {"tune-%", "train-%", "compare-%", "predict-%", *declared[1].split()} == set(listed)
    assert listed == dict(re.findall(r"^([a-z%-]+):.*## *(.*)$", text, re.MULTILINE))
    assert "CATS=folder|zip|tar|npy|address; OUT=" in listed["cats"]
    assert make("help") == make()
    commands = {*COMMANDS, *experiments.COMMANDS}
    assert {name for name in commands if name not in listed and f"{name}-%" not in listed} == set()


@pytest.mark.parametrize("name", discovery.names())
def test_every_experiment_can_be_trained_and_tuned_and_its_command_trains_the_same_config_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = [".venv/bin/python", "-m", "experiments"]
    assert would_run(f"train-{name}", f"tune-{name}") == [*run, "train", name, *run, "tune", name]
    config = discovery.find(name)(seed=3).config
    recorded = would_run(*shlex.split(environment.command("train", name, config.model_dump()))[1:])
    monkeypatch.setenv(environment.PROGRAM, "python -m experiments")
    for words in (recorded, shlex.split(environment.command("train", name, config.model_dump()))):
        command = read(words[3:], COMMANDS, "make")
        assert (type(command.func), command.args[0]) == (COMMANDS["train"], name)
        assert discovery.find(name)(**command.args[1]).config == config


def test_models_are_compared_with_each_other_and_with_baselines() -> None:
    run = [".venv/bin/python", "-m", "experiments"]
    for target in ("compare", "compare-cats"):
        assert would_run(target, "STAGE=Staging") == [*run, "compare-cats", "--STAGE=Staging"]
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
    words = would_run("predict", "train-seq2seq", f"QUERY={value}")
    assert words[3:6] == ["predict", "seq2seq", f"--QUERY={value}"]
    assert words[9:] == ["train", "seq2seq", f"--QUERY={value}"]


def test_what_make_runs_is_what_the_command_line_reads() -> None:
    words = would_run("tune-seq2seq", "STORE=it's a  store", "TRIALS=5", "LEARNING_RATE=0.01")
    command = read(words[3:], COMMANDS, "make")
    assert (command.func.store, command.func.trials) == ("it's a  store", 5)
    assert command.args == ("seq2seq", {"learning_rate": "0.01"})


def test_a_command_of_no_experiment_has_a_target_too() -> None:
    words = would_run("generate", "MODEL=cats-vae", "N=3", "OUT=it's.png")
    assert words[2:4] == ["experiments", "generate"]
    assert sorted(words[4:]) == ["--MODEL=cats-vae", "--N=3", "--OUT=it's.png"]


def test_the_port_to_serve_on_is_passed_on_if_it_is_given() -> None:
    assert would_run("serve", "MODEL=tiny")[3:] == ["serve", "--MODEL=tiny"]
    assert sorted(would_run("serve", "MODEL=tiny", "PORT=5002")[3:]) == ["--MODEL=tiny", "--PORT=5002", "serve"]


def test_only_variables_of_the_command_line_become_flags() -> None:
    assert would_run("train-seq2seq", UNITS="7", STORE="elsewhere")[5:] == []
    assert would_run("train-seq2seq", "PYTHON=python3.12")[5:] == []


def test_an_error_is_not_followed_by_a_line_of_make() -> None:
    done = run_make("--assume-old=.venv/.installed", "train-seq2seq", "UNITS=0")
    assert done.returncode != 0
    assert done.stderr == "error: units: got '0'; allowed is greater than or equal to 1\n"


def test_commands_know_that_make_called_them() -> None:
    shown = make("--eval=show: ; @env", "show", **{environment.PROGRAM: "another"})
    assert f"{environment.PROGRAM}=make" in shown.splitlines()


def test_a_target_that_does_not_exist_is_an_error() -> None:
    done = run_make("--dry-run", "nope")
    assert done.returncode == 2
    assert "nope" in done.stderr
