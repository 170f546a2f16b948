"""The command line: help that shows every command and field, and errors in one line."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import experiments
from library.framework import discovery
from library.framework.cli import parser
from library.framework.cli.commands import COMMANDS as FRAMEWORK
from library.framework.cli.main import main
from library.framework.cli.parser import ExperimentCommand

PROGRAM = "python -m experiments"
COMMANDS = {**FRAMEWORK, **experiments.COMMANDS}
ON_EXPERIMENTS = {name: command for name, command in COMMANDS.items() if issubclass(command, ExperimentCommand)}
COMPARISONS = discovery.comparison_names()
TARGETS = [(name, one) for name in ON_EXPERIMENTS for one in (COMPARISONS if name == "compare" else discovery.names())]
CALLS = [*TARGETS, *((name,) for name in COMMANDS if name not in ON_EXPERIMENTS)]
KINDS = {int: "integer", float: "number", bool: "boolean", str: "string", Path: "string"}
REQUIRED = {
    "run": "0a", "model": "cats-vae", "version": "1", "cats": "photos", "study": "s", "to": "postgresql://h/d",
    "artifacts": "a",
}  # fmt: skip


def read(*arguments: str) -> Any:
    return parser.read(arguments, COMMANDS, PROGRAM)


def by_flag(command: type[BaseModel]) -> dict[str, FieldInfo]:
    """A command's options by their names on the command line."""
    return {info.alias or name: info for name, info in command.model_fields.items()}


def required(name: str) -> list[str]:
    return [f"--{field}={REQUIRED[field]}" for field, info in COMMANDS[name].model_fields.items() if info.is_required()]


def kind(annotation: Any) -> str:
    return "|".join(map(str, get_args(annotation))) if get_origin(annotation) is Literal else KINDS[annotation]


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_help_shows_type_meaning_and_default_of_every_field(
    call: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit, match=r"^0$"):
        main([*call, "--help"], PROGRAM)
    shown = " ".join(capsys.readouterr().out.split())
    command, *target = call
    assert shown.startswith(f"usage: {PROGRAM} {' '.join(call)} [--field=value ...] {COMMANDS[command].__doc__}")
    groups = [by_flag(COMMANDS[command]), *(ON_EXPERIMENTS[command].fields(name) for name in target)]
    for field_name, field in (item for group in groups for item in group.items()):
        flag = f"--{field_name.replace('_', '-')} {kind(field.annotation)}"
        value = field.get_default(call_default_factory=True, validated_data={})
        default = "; required" if field.is_required() else f" [{value}]" if value != "" else ""
        assert re.search(rf"{re.escape(flag)}[ <>=,.\d]* {re.escape(f'{field.description}{default}')}", shown), flag


def test_help_shows_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["tune", "seq2seq", "-h"], PROGRAM)
    shown = capsys.readouterr().out
    assert "--trials integer >= 1, <= 1000000\n" in shown
    assert "--train-fraction number > 0, < 1\n" in shown


@pytest.mark.parametrize(
    ("arguments", "status"),
    [([], 2), (["--help"], 0), (["-h"], 0)],
)
def test_without_command_all_commands_and_names_are_listed(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    with pytest.raises(SystemExit, match=f"^{status}$"):
        main(arguments, PROGRAM)
    shown = capsys.readouterr().out
    assert max(map(len, shown.partition("experiments: ")[0].splitlines())) <= 70
    shown = re.sub(r"\n {18}", " ", shown)
    assert shown.startswith(f"usage: {PROGRAM} COMMAND [NAME] [--field=value ...]")
    for name, command in COMMANDS.items():
        target = " NAME" if name in ON_EXPERIMENTS else ""
        assert re.search(rf"^  {name}{target} +{re.escape(str(command.__doc__))}$", shown, re.MULTILINE)
    assert f"experiments: {', '.join(discovery.names())}\n" in shown
    assert f"comparisons: {', '.join(COMPARISONS)}\n" in shown


@pytest.mark.parametrize("name", ON_EXPERIMENTS)
def test_the_help_of_a_command_without_a_name_has_its_options_and_the_names(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main([name, "--help"], PROGRAM)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith(f"usage: {PROGRAM} {name} NAME [--field=value ...] {COMMANDS[name].__doc__}")
    assert [field for field in by_flag(COMMANDS[name]) if f" --{field} " not in shown] == []
    assert f"NAME is one of {', '.join(ON_EXPERIMENTS[name].names())}." in shown


def test_only_fields_that_tell_which_model_to_ask_are_fields_of_predict() -> None:
    assert list(ON_EXPERIMENTS["predict"].fields("seq2seq")) == ["modality", "operators", "handwriting"]
    assert list(ON_EXPERIMENTS["predict"].fields("vae")) == []


def test_a_variable_of_the_environment_is_not_used_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNITS", "7")
    monkeypatch.setenv("EPOCHS", "3")
    assert read("train", "seq2seq", "--EPOCHS=2").args[1] == {"epochs": "2"}
    assert capsys.readouterr().err == "note: UNITS of the environment is not used; give it as an argument of make\n"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("fly seq2seq", ["unknown command 'fly'; allowed are ", *COMMANDS]),
        ("trian seq2seq", ["unknown command 'trian'; did you mean train?"]),
        ("train seq2sek", ["unknown experiment 'seq2sek'; did you mean seq2seq?"]),
        ("compare product", ["unknown comparison 'product'; did you mean products?"]),
        ("train", ["train: no NAME was given; allowed are cae, ", "seq2seq"]),
        ("compare --units=3", ["compare: no NAME was given; allowed are ", "products"]),
        (
            "predict seq2seq --query=1+1 --units=3",
            ["unknown option 'UNITS'; allowed are ARTIFACTS, HANDWRITING, HELP, "],
        ),
        ("train nope", ["unknown experiment 'nope'; allowed are ", *discovery.names()]),
        ("train __main__", ["unknown experiment '__main__'; allowed are ", "seq2seq"]),
        ("train seq2seq --nope=1", ["unknown option 'NOPE'; python -m experiments train seq2seq --help lists all"]),
        ("train seq2seq --unit=1", ["unknown option 'UNIT'; did you mean UNITS?"]),
        ("train seq2seq --units", ["--units", "expected one argument"]),
        ("train seq2seq units=3", ["unrecognized arguments: units=3"]),
        ("train seq2seq -u3", ["unrecognized arguments: -u3"]),
        ("train seq2seq --units=0", ["units: got '0'; allowed is greater than or equal to 1"]),
        ("train seq2seq --UNITS=many", ["units: got 'many'; allowed is an integer"]),
        ("tune seq2seq --train-fraction=1", ["train_fraction: got '1'; allowed is less than 1"]),
        ("tune seq2seq --trials=0", ["trials: got '0'; allowed is greater than or equal to 1"]),
        ("tune seq2seq --workers=two", ["workers: got 'two'; allowed is an integer"]),
        ("tune seq2seq '--study=a b'", ["study: got 'a b'; allowed is letters, digits, '.', '_' and '-'"]),
        ("train seq2seq --padding=right", ["reading_order: got 'pairs' with padding='right'", "allowed is"]),
        ("train seq2seq --modality=bad", ["modality: got 'bad'; allowed is ", "'text-to-text'"]),
        (
            "promote --model=a --version=1 --stage=bad",
            ["stage: got 'bad'; allowed is 'Staging', 'Production' or 'Arch"],
        ),
        ("compare-cats --stage=bad", ["stage: got 'bad'; allowed is 'Staging', 'Production' or 'Archived'"]),
        (
            "serve --model=a --version=2 --stage=staging",
            ["stage: got 'staging' with version 2; allowed is one of both"],
        ),
        ("predict seq2seq --query=1+1 --version=-1", ["version: got '-1'; allowed is greater than or equal to 0"]),
        ("predict seq2seq --query=1+1 --queries=-", ["query: got '1+1' and QUERIES=-; allowed is one query with one"]),
        ("predict seq2seq --queries=a --out=a.png", ["out: got 'a.png' and QUERIES=a; allowed is one query with one"]),
        ("predict seq2seq --queries=a", ["queries: 'a' cannot be read (No such file or directory); allowed is a text"]),
        ("predict seq2seq", ["query: nothing was given; it is the input", "several: QUERIES=file"]),
        ("predict seq2seq --modality=text-to-image --query=1+1", ["out: nothing was given", "OUT=answer.png"]),
        (
            "predict seq2seq --modality=text-to-image --query=1+1 --out=a.jpg",
            ["out: got 'a.jpg'; allowed is a file ending in .png in a folder that can be written"],
        ),
        ("predict seq2seq --modality=image-to-text --query=a.png", ["'a.png' cannot be read", "140 pixels"]),
        ("predict seq2seq --operators=* --query=1+1", ["query: got '1+1'", "with * between", "'45*23'"]),
        ("predict glyph-reader --query=a.png", ["query: 'a.png' cannot be read", "28 pixels wide"]),
        ("predict vae --query=a.png --out=b.png", ["query: 'a.png' cannot be read", "allowed is an image"]),
        (
            "predict gan --query=a.png",
            ["query: a GAN draws cats and reconstructs none; give make generate MODEL=cats-gan OUT=cats.png"],
        ),
        ("generate --out=a.png", ["model: nothing was given; it is name in the registry"]),
        ("generate --model=cats-vae --n=0 --out=a.png", ["n: got '0'; allowed is greater than or equal to 1"]),
        ("generate --model=cats-vae --n=1000000", ["n: got '1000000'; allowed is less than or equal to 10000"]),
        ("generate --model=cats-vae", ["out: nothing was given", "OUT=answer.png"]),
        ("generate --model=cats-vae --out=a.jpg", ["out: got 'a.jpg'; allowed is a file ending in .png"]),
        ("generate --model=cats-vae --out=a.png", ["store mlruns: there is none; train or tune first"]),
        ("generate vae", ["unrecognized arguments: vae"]),
        ("compare nope", ["unknown comparison 'nope'; allowed are ", "training-fractions"]),
        (
            "compare products --modality=text-to-image",
            ["modality: got 'text-to-image'; compared are text-to-text, image-to-text"],
        ),
        ("compare products --seed=3", ["seed: got '3'; a comparison trains from seed 0 on, give SEEDS=how many"]),
        ("compare products --units=0", ["units: got '0'"]),
    ],
)
def test_what_cannot_be_done_is_one_line_that_says_what_can(
    line: str, named: list[str], refused: Callable[..., str]
) -> None:
    message = refused(*shlex.split(line))
    assert [part for part in named if part not in message] == []
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("query", ["", "100+1", "1*2", "4 5+1"])
def test_a_bad_query_is_refused_before_a_model_is_looked_for(query: str, refused: Callable[..., str]) -> None:
    line = refused("predict", "seq2seq", f"--query={query}")
    assert line.startswith(f"query: got {query!r}; allowed are two numbers of 0 to 99 with + or - between")
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("argument", ["--un\nits=3", "un\nits"])
def test_an_error_about_an_argument_of_two_lines_is_one_line(argument: str, refused: Callable[..., str]) -> None:
    refused("train", "seq2seq", argument)


def test_flags_are_taken_as_make_passes_them_on() -> None:
    call = read("tune", "seq2seq", "--TRAIN_FRACTION=0.1", "--TRIALS=5", "--learning_rate=0.01", "--batch-size", "8")
    assert (type(call.func), call.args[0]) == (COMMANDS["tune"], "seq2seq")
    assert (call.func.trials, call.func.model_fields_set) == (5, {"trials"})
    assert call.args[1] == {"train_fraction": "0.1", "learning_rate": "0.01", "batch_size": "8"}


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_every_field_can_be_given_in_upper_case_and_what_is_not_given_is_left_to_the_defaults(
    call: tuple[str, ...],
) -> None:
    name, *target = call
    own = by_flag(COMMANDS[name]).items()
    defaults = {field: info.get_default(call_default_factory=True, validated_data={}) for field, info in own}
    options = {field: REQUIRED[field] if info.is_required() else defaults[field] for field, info in own}
    fields = {field: f"Value of {field}" for one in target for field in ON_EXPERIMENTS[name].fields(one)}
    full = read(*call, *(f"--{field.upper()}={value}" for field, value in {**options, **fields}.items()))
    least = read(*call, *required(name))
    if target:
        assert (full.args, least.args) == ((target[0], fields), (target[0], {}))
        full, least = full.func, least.func
    assert full == least == COMMANDS[name](**{field: REQUIRED[field] for field in least.model_fields_set})
    assert full.model_fields_set == type(full).model_fields.keys()


@pytest.mark.parametrize("name", discovery.names())
def test_no_command_has_an_option_of_the_name_of_a_field(name: str) -> None:
    commands = [command for command in ON_EXPERIMENTS.values() if name in command.names()]
    assert len(commands) == 3
    assert all(command.fields(name).keys().isdisjoint(by_flag(command)) for command in commands)
