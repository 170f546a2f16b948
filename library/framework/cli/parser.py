"""Reads `COMMAND [NAME] [--field=value]` and writes the help, both from the fields of pydantic models.

The name, type, bounds, default and meaning of a field are stated once, where the field is declared.
"""

import argparse
import inspect
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from ..config import Options, parse
from ..discovery import comparison_names, find, names
from ..environment import called_by_make, option, option_name
from ..errors import StoreError, UserError, unknown
from ..options import StoreOptions
from ..tracking.address import is_address

if TYPE_CHECKING:
    from ..tracking.store import Store

Fields = Mapping[str, FieldInfo]
MAX_LISTED = 14  # options in an error
BOUNDS = {"minimum": ">= {}", "exclusiveMinimum": "> {}", "maximum": "<= {}", "exclusiveMaximum": "< {}"}


class BaseCommand(StoreOptions):
    """What all commands have.

    Attributes:
        on_interrupt: what becomes of the work when the command is interrupted.
        called: how it is called, if it is a program of its own.
    """

    on_interrupt: ClassVar[str] = "the same command resumes it"
    called: ClassVar[str] = ""

    def open_existing_store(self, *, writes: bool = False) -> "Store":
        """Opens the store, which must be there: no empty one is made to look for something in it.

        Args:
            writes: whether the command cannot do its work without writing to the store.

        Raises:
            StoreError: there is none, which is found before mlflow is imported, or it cannot be opened.
        """
        database = os.path.join(self.store, "mlflow.db")  # noqa: PTH118
        if not is_address(self.store) and not os.path.exists(database):  # noqa: PTH110 -- False also if not readable
            raise StoreError(
                f"store {self.store}: there is none; train or tune first, or give {option(store='folder')}"
            )
        return self.open_store(writes=writes)

    def open_store(self, *, writes: bool = True) -> "Store":
        """Opens the store, which is made if there is none; a server is named first, on stderr.

        Raises:
            StoreError: it cannot be opened.
        """
        from ..tracking.store import open_of

        if is_address(self.store):
            studies = f", studies in {self.studies}" if self.studies else ""
            print(f"store {self.store}{studies}", file=sys.stderr)
        return open_of(self, writes=writes)


class Command(BaseCommand):
    """A command: its fields are its options, its docstring its help, and calling it does the work."""

    def __call__(self) -> int | None:
        """Does the work; may return an exit status, else it is 0."""
        raise NotImplementedError


class ExperimentCommand(BaseCommand):
    """A command on an experiment, whose fields are options too."""

    @classmethod
    def names(cls) -> list[str]:
        """What the command can be given as its name."""
        return names()

    @classmethod
    def fields(cls, name: str) -> Fields:
        """The fields that the command takes besides its own; UserError where there is nothing of the name."""
        return find(name).Config.model_fields

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
        raise unknown("command", name, commands)
    command = commands[name]
    called = command.called or f"{program} {name}"
    own = {f"options of {name}": command.model_fields}
    if issubclass(command, Command):
        return parse(command, _options(called, rest, own, command))
    if not rest or rest[0].startswith("-"):
        if rest[:1] not in (["-h"], ["--help"]):
            raise UserError(f"{name}: no NAME was given; allowed are {', '.join(command.names())}")
        more = f"NAME is one of {', '.join(command.names())}. {called} NAME --help lists its fields too."
        _options(f"{called} NAME", rest[:1], own, command, more)
    target, *rest = rest
    fields = command.fields(target)
    given = _options(f"{called} {target}", rest, {**own, f"fields of {target}": fields}, command)
    values = {field: value for field, value in given.items() if field in fields}
    return partial(parse(command, {field: given[field] for field in given.keys() - fields.keys()}), target, values)


def _options(
    called: str, flags: Sequence[str], groups: Mapping[str, Fields], command: type[Options], more: str = ""
) -> dict[str, str]:
    """The values that were given, as texts, by field; prints the help and exits where that is asked for."""
    parser = _Parser(usage=f"{called} [--field=value ...]", description=inspect.getdoc(command), epilog=more)
    for title, fields in groups.items():
        _add(parser.add_argument_group(title), fields)
    given = vars(parser.parse_args(_normalized(flags, parser, called)))
    for field in (field for fields in groups.values() for field in fields if called_by_make()):
        if field not in given and field.upper() in os.environ:
            note = "of the environment is not used; give it as an argument of make"
            print(f"note: {field.upper()} {note}", file=sys.stderr)
    return given


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(" ".join(message.split()))


def _print_overview(commands: Commands, program: str, status: int) -> NoReturn:
    print(f"usage: {program} COMMAND [NAME] [--field=value ...]\n\ncommands:")
    width = shutil.get_terminal_size().columns
    for name, command in commands.items():
        target = "" if issubclass(command, Command) else " NAME"
        first = (inspect.getdoc(command) or "").splitlines()[0]
        print(textwrap.fill(first, width, initial_indent=f"  {name + target:16}", subsequent_indent=" " * 18))
    print(f"\nexperiments: {', '.join(names())}")
    print(f"comparisons: {', '.join(comparison_names())}")
    print(f"\n{program} COMMAND [NAME] --help shows every option")
    raise SystemExit(status)


def _normalized(flags: Sequence[str], parser: argparse.ArgumentParser, called: str) -> list[str]:
    """Flags as the parser knows them: `--TRAIN_FRACTION=0.1`, as make passes it on, is `--train-fraction=0.1`."""
    known = {name for action in parser._actions for name in action.option_strings}
    normal = []
    for flag in flags:
        name, equals, value = flag.partition("=")
        if name.startswith("--"):
            name = name.lower().replace("_", "-")
            if name not in known:
                fields = [option_name(one.removeprefix("--")) for one in known if one.startswith("--")]
                instead = f"{called} --help lists all" if len(fields) > MAX_LISTED else ""
                raise unknown("option", option_name(name.removeprefix("--")), sorted(fields), instead)
        normal.append(name + equals + value)
    return normal


def _add(group: Any, fields: Fields) -> None:
    """A flag for every field; absent from the result unless given, so that defaults stay where they are declared."""
    fields = {field.alias or name: field for name, field in fields.items()}
    schemas = {name: TypeAdapter(field.rebuild_annotation()).json_schema() for name, field in fields.items()}
    for name, field in fields.items():
        value = field.get_default(call_default_factory=True)
        default = "" if value == "" else f" [{value}]"
        default = "; required" if field.is_required() else default
        group.add_argument(
            f"--{name.replace('_', '-')}",
            default=argparse.SUPPRESS,
            metavar=_kind(schemas[name]),
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
