"""Reads `VERB NAME [--field=value]` and writes the help, both from the fields of pydantic models.

What a field is called, its type, bounds, default and meaning are said once, where the field is declared.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .. import discovery
from ..config import Options
from ..errors import UserError
from ..experiment import Experiment

BOUNDS = {"minimum": ">= {}", "exclusiveMinimum": "> {}", "maximum": "<= {}", "exclusiveMaximum": "< {}"}


@dataclass(frozen=True)
class Command:
    """What was asked for: the verb's own options and the experiment's fields, as text and not yet checked."""

    verb: str
    name: str
    experiment: Experiment[Any]
    options: Mapping[str, str]
    fields: Mapping[str, str]


def read_alone(verb: str, flags: Sequence[str], options: type[Options], explained: str) -> Mapping[str, str]:
    """Reads `VERB [--field=value]` of a verb that is of no experiment, or prints its help and exits.

    Args:
        verb: as it was given.
        flags: all after it.
        options: those of the verb.
        explained: a line on it.

    Raises:
        UserError: a flag is unknown; names those that are allowed.
    """
    parser = _Parser(usage=f"python -m experiments {verb} [--field=value ...]", description=explained)
    _add(parser.add_argument_group(f"options of {verb}"), options)
    return vars(parser.parse_args(_normalised(flags, parser)))


def read(arguments: Sequence[str], verbs: Mapping[str, type[Options]], explained: Mapping[str, str]) -> Command:
    """Reads a command line, or prints the help that it asks for and exits.

    Args:
        arguments: all after the program's name.
        verbs: the options of each verb.
        explained: a line on each verb.

    Raises:
        UserError: a verb, an experiment or a flag is unknown; names those that are allowed.
    """
    verb, name, flags = _split(arguments, explained)
    if verb not in verbs:
        raise UserError(f"unknown verb {verb!r}; allowed are {', '.join(explained)}")
    experiment = discovery.find(discovery.find_comparison(name).experiment if verb == "compare" else name)
    parser = _Parser(usage=f"python -m experiments {verb} {name} [--field=value ...]", description=explained[verb])
    groups = {f"options of {verb}": verbs[verb], "fields of the experiment": experiment.config}
    for title, group in groups.items():
        _add(parser.add_argument_group(title), group)
    values = vars(parser.parse_args(_normalised(flags, parser)))
    options = {field: value for field, value in values.items() if field in verbs[verb].model_fields}
    fields = {field: value for field, value in values.items() if field in experiment.config.model_fields}
    return Command(verb, name, experiment, options, fields)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(" ".join(message.split()))


def _split(arguments: Sequence[str], explained: Mapping[str, str]) -> tuple[str, str, Sequence[str]]:
    """Verb, name and flags; the overview instead where one of the first two is missing."""
    if len(arguments) < 2 or arguments[0].startswith("-") or arguments[1].startswith("-"):
        print("usage: python -m experiments VERB NAME [--field=value ...]\n\nverbs:")
        print("\n".join(f"  {verb:13}{line}" for verb, line in explained.items()))
        print(f"\nnames: {', '.join(discovery.names())}")
        print(f"names to compare: {', '.join(discovery.names('experiments.comparisons'))}")
        print("\npython -m experiments VERB NAME --help shows every field")
        raise SystemExit(0 if {"-h", "--help"} & set(arguments) else 2)
    return arguments[0], arguments[1], arguments[2:]


def _normalised(flags: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
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
        group.add_argument(
            f"--{name.replace('_', '-')}",
            default=argparse.SUPPRESS,
            metavar=_kind(properties[name]),
            help=f"{field.description}{_default(field.is_required(), field.default)}".replace("%", "%%"),
        )


def _kind(schema: Mapping[str, Any]) -> str:
    """A field's type and bounds, as in `integer >= 1`."""
    if "enum" in schema:
        return "|".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    bounds = [text.format(schema[key]) for key, text in BOUNDS.items() if key in schema]
    return " ".join([schema["type"], ", ".join(bounds)]).strip()


def _default(required: bool, default: Any) -> str:
    return "; required" if required else f" [{default}]"
