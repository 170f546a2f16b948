"""Reads `COMMAND [NAME] [--field=value]` and writes the help, both from the fields of pydantic models.

The name, type, bounds, default and meaning of a field are stated once, where the field is declared.
"""

import argparse
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from ..config import Config, Options, parse
from ..discovery import find, names
from ..environment import option
from ..errors import StoreError, UserError
from ..options import StoreOptions

if TYPE_CHECKING:
    from ..tracking.store import Store

BOUNDS = {"minimum": ">= {}", "exclusiveMinimum": "> {}", "maximum": "<= {}", "exclusiveMaximum": "< {}"}


class BaseCommand(StoreOptions):
    """What all commands have.

    Attributes:
        on_interrupt: what becomes of the work when the command is interrupted.
    """

    on_interrupt: ClassVar[str] = "the same command resumes it"

    def open_existing_store(self) -> "Store":
        """Opens the store, which must be there: no empty one is made to look for something in it.

        Raises:
            StoreError: there is none, which is found before mlflow is imported, or it cannot be opened.
        """
        if not (self.store / "mlflow.db").exists():
            raise StoreError(
                f"store {self.store}: there is none; train or tune first, or give {option(store='folder')}"
            )

        from ..tracking.store import open_store

        return open_store(self.store)


class Command(BaseCommand):
    """A command: its fields are its options, its docstring its help, and calling it does the work."""

    def __call__(self) -> int | None:
        """Does the work; may return an exit status, else it is 0."""
        raise NotImplementedError


class ExperimentCommand(BaseCommand):
    """A command on an experiment, whose fields are options too."""

    @classmethod
    def config_type(cls, name: str) -> type[Config]:
        """The fields that the command takes besides its own; UserError where there is nothing of the name."""
        return find(name).Config

    def __call__(self, name: str, fields: Mapping[str, str]) -> int | None:
        """Does the work on the experiment of a name; its fields are texts, not checked yet."""
        raise NotImplementedError


Commands = Mapping[str, type[Command] | type[ExperimentCommand]]


def read(arguments: Sequence[str], commands: Commands, program: str) -> Callable[[], int | None]:
    """What a command line asks for, to be called; prints the help instead and exits where that is asked for.

    Args:
        arguments: all after the program's name.
        commands: by name.
        program: as it was called, for the usage.

    Raises:
        UserError: a command, a name or an option is unknown, or an option's value is not allowed.
    """
    name, *rest = arguments or ["--help"]
    if name.startswith("-"):
        _print_overview(commands, program, status=0 if arguments else 2)
    if name not in commands:
        raise UserError(f"unknown command {name!r}; allowed are {', '.join(commands)}")
    command = commands[name]
    if issubclass(command, Command):
        return parse(command, _options(f"{program} {name}", rest, {f"options of {name}": command}, command))
    if not rest or rest[0].startswith("-"):
        _print_overview(commands, program, status=0 if {"-h", "--help"} & set(rest) else 2)
    target, *rest = rest
    config = command.config_type(target)
    groups = {f"options of {name}": command, "fields of the experiment": config}
    given = _options(f"{program} {name} {target}", rest, groups, command)
    fields = {field: value for field, value in given.items() if field in config.model_fields}
    own = {field: value for field, value in given.items() if field in command.model_fields}
    return partial(parse(command, own), target, fields)


def _options(
    called: str, flags: Sequence[str], groups: Mapping[str, type[Options]], command: type[Options]
) -> dict[str, str]:
    """The values that were given, as texts, by field."""
    parser = _Parser(usage=f"{called} [--field=value ...]", description=inspect.getdoc(command))
    for title, options in groups.items():
        _add(parser.add_argument_group(title), options)
    return vars(parser.parse_args(_normalized(flags, parser)))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(" ".join(message.split()))


def _print_overview(commands: Commands, program: str, status: int) -> NoReturn:
    print(f"usage: {program} COMMAND [NAME] [--field=value ...]\n\ncommands:")
    for name, command in commands.items():
        target = "" if issubclass(command, Command) else " NAME"
        print(f"  {name + target:15}{(inspect.getdoc(command) or '').splitlines()[0]}")
    print(f"\nexperiments: {', '.join(names())}")
    print(f"comparisons: {', '.join(names('experiments.comparisons'))}")
    print(f"\n{program} COMMAND [NAME] --help shows every option")
    raise SystemExit(status)


def _normalized(flags: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Flags as the parser knows them: `--TRAIN_FRACTION=0.1`, as make passes it on, is `--train-fraction=0.1`."""
    known = {option for action in parser._actions for option in action.option_strings}
    normal = []
    for flag in flags:
        name, equals, value = flag.partition("=")
        if name.startswith("--"):
            name = name.lower().replace("_", "-")
            if name not in known:
                allowed = ", ".join(sorted(option for option in known if option.startswith("--")))
                raise UserError(f"unknown option {name!r}; allowed are {allowed}")
        normal.append(name + equals + value)
    return normal


def _add(group: Any, options: type[Options]) -> None:
    """A flag for every field; absent from the result unless given, so that defaults stay where they are declared."""
    properties = options.model_json_schema()["properties"]
    for name, field in options.model_fields.items():
        default = "; required" if field.is_required() else f" [{field.default}]"
        group.add_argument(
            f"--{name.replace('_', '-')}",
            default=argparse.SUPPRESS,
            metavar=_kind(properties[name]),
            help=f"{field.description}{default}".replace("%", "%%"),
        )


def _kind(schema: Mapping[str, Any]) -> str:
    """A field's type and bounds, as in `integer >= 1`."""
    if "enum" in schema:
        return "|".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    bounds = [text.format(schema[key]) for key, text in BOUNDS.items() if key in schema]
    return " ".join([schema["type"], ", ".join(bounds)]).strip()
