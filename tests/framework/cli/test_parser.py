"""The command line: help that shows every field, errors in one line, and both before anything heavy is imported."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from experiments.__main__ import VERBS, main
from library.framework import discovery
from library.framework.cli import parser
from library.framework.cli.parser import Command
from library.framework.config import Options

ROOT = Path(__file__).parents[3]
HEAVY = {"tensorflow", "keras", "mlflow", "optuna", "matplotlib", "sklearn"}
KINDS = {int: "integer", float: "number", bool: "boolean", str: "string", Path: "string"}
OVERVIEW = "usage: python -m experiments VERB NAME [--field=value ...]"
NAMES = {verb: discovery.names("experiments.comparisons" if verb == "compare" else "experiments") for verb in VERBS}
COMMANDS = [(verb, name) for verb in VERBS for name in NAMES[verb]]
BAD_QUERIES = ["", "100+1", "1*2", "4 5+1"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In an empty folder, so that a command which is wrongly accepted cannot reach a real store."""
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def read(*arguments: str) -> Command:
    verbs = {verb: options for verb, (_, options) in VERBS.items()}
    return parser.read(arguments, verbs, explained=dict.fromkeys(verbs, "what it does"))


def refused(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that is left of a command which cannot be done."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.endswith("\n")
    assert len(err.splitlines()) == 1
    return err


def kind(annotation: Any) -> str:
    return "|".join(map(str, get_args(annotation))) if get_origin(annotation) is Literal else KINDS[annotation]


@pytest.mark.parametrize(("verb", "name"), COMMANDS)
def test_help_shows_type_meaning_and_default_of_every_field(
    verb: str, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit, match=r"^0$"):
        main([verb, name, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    groups: list[type[Options]] = [VERBS[verb][1], read(verb, name).experiment.config]
    for field_name, field in (item for group in groups for item in group.model_fields.items()):
        flag = f"--{field_name.replace('_', '-')} {kind(field.annotation)}"
        default = "; required" if field.is_required() else f" [{field.default}]"
        assert re.search(rf"{re.escape(flag)}[ <>=,.\d]* {re.escape(f'{field.description}{default}')}", shown), flag


def test_help_shows_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["tune", "seq2seq", "-h"])
    shown = capsys.readouterr().out
    assert "--trials integer >= 1, <= 1000000\n" in shown
    assert "--train-fraction number > 0, < 1\n" in shown


@pytest.mark.parametrize(
    ("arguments", "status"),
    [([], 2), (["train"], 2), (["train", "--units=3"], 2), (["--help"], 0), (["-h"], 0), (["train", "--help"], 0)],
)
def test_without_verb_and_name_all_of_both_are_listed(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=f"^{status}$"):
        main(arguments)
    shown = capsys.readouterr().out
    assert shown.startswith(OVERVIEW)
    assert all(re.search(rf"^  {verb} +\S", shown, re.MULTILINE) for verb in VERBS)
    assert f"names: {', '.join(discovery.names())}\n" in shown
    assert f"names to compare: {', '.join(NAMES['compare'])}\n" in shown


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["fly", "seq2seq"], ["unknown verb 'fly'; allowed are ", *VERBS]),
        (["train", "nope"], ["unknown experiment 'nope'; allowed are ", *discovery.names()]),
        (["train", "__main__"], ["unknown experiment '__main__'; allowed are ", "seq2seq"]),
        (["train", "seq2seq", "--nope=1"], ["unknown option '--nope'; allowed are ", "--units", "--store"]),
        (["train", "seq2seq", "--unit=1"], ["unknown option '--unit'; allowed are ", "--units"]),
        (["train", "seq2seq", "--trials=3"], ["unknown option '--trials'; allowed are "]),
        (["train", "seq2seq", "--units"], ["--units", "expected one argument"]),
        (["train", "seq2seq", "units=3"], ["unrecognized arguments: units=3"]),
        (["train", "seq2seq", "-u3"], ["unrecognized arguments: -u3"]),
        (["train", "seq2seq", "--units=0"], ["units: got '0'; allowed is greater than or equal to 1"]),
        (["train", "seq2seq", "--UNITS=many"], ["units: got 'many'; allowed is a valid integer"]),
        (["tune", "seq2seq", "--train-fraction=1"], ["train_fraction: got '1'; allowed is less than 1"]),
        (["tune", "seq2seq", "--trials=0"], ["trials: got '0'; allowed is greater than or equal to 1"]),
        (["tune", "seq2seq", "--workers=two"], ["workers: got 'two'; allowed is a valid integer"]),
        (["tune", "seq2seq", "--study=a b"], [r"study: got 'a b'; allowed is ", r"'^[\w.-]*$'"]),
        (["train", "seq2seq", "--padding=right"], ["reading_order: got 'pairs' with padding='right'", "allowed is"]),
        (["train", "seq2seq", "--modality=bad"], ["modality: got 'bad'; allowed is ", "'text-to-text'"]),
        (
            ["predict", "seq2seq", "--query=1+1", "--stage=bad"],
            ["stage: got 'bad'; allowed is 'Staging', 'Production' or 'Archived'"],
        ),
        (["predict", "seq2seq"], ["query: nothing was given; it is the input"]),
        (
            ["predict", "seq2seq", "--modality=text-to-image", "--query=1+1"],
            ["out: nothing was given", "OUT=answer.png"],
        ),
        (
            ["predict", "seq2seq", "--modality=text-to-image", "--query=1+1", "--out=a.jpg"],
            ["out: got 'a.jpg'; allowed is a file ending in .png in a folder that can be written"],
        ),
        (["predict", "seq2seq", "--modality=image-to-text", "--query=a.png"], ["'a.png' cannot be read", "140 pixels"]),
        (["predict", "seq2seq", "--operators=*", "--query=1+1"], ["query: got '1+1'", "with * between", "'45*23'"]),
        (["predict", "glyph-reader", "--query=a.png"], ["query: 'a.png' cannot be read", "28 pixels wide"]),
        (["predict", "vae", "--query=a.png", "--out=b.png"], ["query: 'a.png' cannot be read", "allowed is an image"]),
        (["predict", "gan", "--query=a.png"], ["query: a GAN draws cats and reads none; give make generate MODEL=gan"]),
        (["generate", "--out=a.png"], ["model: nothing was given; it is which experiment's model"]),
        (["generate", "--model=dog", "--out=a.png"], ["model: got 'dog'; allowed is 'cae', 'vae' or 'gan'"]),
        (["generate", "--model=vae", "--n=0", "--out=a.png"], ["n: got '0'; allowed is greater than or equal to 1"]),
        (["generate", "--model=vae", "--n=1000000"], ["n: got '1000000'; allowed is less than or equal to 10000"]),
        (["generate", "--model=vae", "--stage=best"], ["stage: got 'best'; allowed is 'Staging', 'Production'"]),
        (["generate", "--model=vae"], ["out: nothing was given", "OUT=answer.png"]),
        (["generate", "--model=vae", "--out=a.jpg"], ["out: got 'a.jpg'; allowed is a file ending in .png"]),
        (["generate", "--model=vae", "--out=a.png"], ["store mlruns: there is none; train or tune first"]),
        (["generate", "vae"], ["unrecognized arguments: vae"]),
        (["compare", "nope"], ["unknown comparison 'nope'; allowed are ", "training-fractions"]),
        (
            ["compare", "products", "--modality=text-to-image"],
            ["modality: got 'text-to-image'; compared are text-to-text, image-to-text"],
        ),
        (
            ["compare", "products", "--seed=3"],
            ["seed: got '3'; a comparison trains from seed 0 on, give SEEDS=how many"],
        ),
        (["compare", "products", "--units=0"], ["units: got '0'"]),
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_one_line_that_says_what_can(
    arguments: list[str], named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(arguments, capsys)
    assert [part for part in named if part not in line] == []


@pytest.mark.parametrize("query", BAD_QUERIES)
def test_a_bad_query_is_refused_before_a_model_is_looked_for(query: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(["predict", "seq2seq", f"--query={query}"], capsys)
    assert line.startswith(f"error: query: got {query!r}; allowed are two numbers of 0 to 99 with + or - between")
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("argument", ["--un\nits=3", "un\nits"])
def test_an_error_about_an_argument_of_two_lines_is_one_line(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(["train", "seq2seq", argument], capsys)


def test_flags_are_taken_as_make_passes_them_on() -> None:
    command = read("tune", "seq2seq", "--TRAIN_FRACTION=0.1", "--TRIALS=5", "--learning_rate=0.01", "--batch-size", "8")
    assert (command.verb, command.name) == ("tune", "seq2seq")
    assert command.options == {"trials": "5"}
    assert command.fields == {"train_fraction": "0.1", "learning_rate": "0.01", "batch_size": "8"}


@pytest.mark.parametrize(("verb", "name"), COMMANDS)
def test_every_field_can_be_given_in_upper_case(verb: str, name: str) -> None:
    options, fields = VERBS[verb][1].model_fields, read(verb, name).experiment.config.model_fields
    command = read(verb, name, *(f"--{field.upper()}=Value of {field}" for field in [*options, *fields]))
    assert command.options == {field: f"Value of {field}" for field in options}
    assert command.fields == {field: f"Value of {field}" for field in fields}


def test_values_keep_blanks_quotes_and_equals_signs() -> None:
    assert read("predict", "seq2seq", "--query= it's = 1 - 2 ").options == {"query": " it's = 1 - 2 "}


def test_what_is_not_given_is_left_to_the_defaults() -> None:
    command = read("train", "seq2seq")
    assert (command.options, command.fields) == ({}, {})


@pytest.mark.parametrize("name", discovery.names())
def test_no_verb_has_an_option_of_the_name_of_a_field(name: str) -> None:
    fields = discovery.find(name).config.model_fields.keys()
    assert all(fields.isdisjoint(options.model_fields) for _, options in VERBS.values())


@pytest.mark.parametrize(
    ("arguments", "status", "shown"),
    [
        (["tune", "seq2seq", "--help"], 0, "--train-fraction"),
        (["compare", "products", "--help"], 0, "--seeds"),
        (["tune", "seq2seq", "--units=0"], 2, "error: units: got '0'"),
        (["tune", "seq2seq", "--nope=1"], 2, "error: unknown option '--nope'"),
        (["train", "nope"], 2, "error: unknown experiment 'nope'"),
        (["predict", "seq2seq", "--query=100+1"], 2, "error: query: got '100+1'"),
        (["generate", "--model=vae", "--n=0"], 2, "error: n: got '0'"),
        (["generate", "--model=vae", "--out=a.png"], 2, "error: store mlruns: there is none"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_and_errors_import_nothing_heavy(arguments: list[str], status: int, shown: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "experiments", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert shown in done.stdout + done.stderr
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "pydantic" in imported
    assert imported & HEAVY == set()
