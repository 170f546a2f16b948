"""python -m experiments VERB NAME [--field=value]: checks every value, then does the work.

Nothing heavy is imported before all values are known to be good: tensorflow and mlflow take seconds.
"""

import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from ..config import Options, parse
from ..errors import UserError
from ..options import (
    ComparisonOptions,
    ModelOptions,
    PageOptions,
    PromotionOptions,
    QueryOptions,
    RepeatOptions,
    ServeOptions,
    StoreOptions,
    StudyOptions,
    VersionOptions,
)
from . import commands, parser
from .parser import Command

VERBS: Mapping[str, tuple[Callable[[Command], None], type[Options]]] = {
    "train": (commands.train, StoreOptions),
    "tune": (commands.tune, StudyOptions),
    "compare": (commands.compare, ComparisonOptions),
    "predict": (commands.predict, QueryOptions),
}

Alone = Mapping[str, tuple[Callable[[Any], int | None], type[Options]]]

ALONE: Alone = {
    "serve": (commands.serve, ServeOptions),
    "repeat": (commands.repeat, RepeatOptions),
    "report": (commands.report, PageOptions),
    "models": (commands.models, StoreOptions),
    "promote": (commands.promote, PromotionOptions),
    "archive": (commands.archive, VersionOptions),
    "rollback": (commands.rollback, ModelOptions),
    "history": (commands.history, ModelOptions),
}
"""Verbs that are of no experiment; they may tell an exit status, else it is 0."""

INTERRUPTED = {
    "train": "its run is recorded as killed",
    "predict": "nothing was answered",
    "generate": "nothing was drawn",
    "serve": "nobody answers any more",
    "repeat": "its run is recorded as killed",
    "report": "nothing was written",
}
"""What becomes of a verb's work; that of all others goes on."""


def main(arguments: Sequence[str], others: Alone) -> int:
    """Runs a command line and returns its exit status; what is the user's to mend is told in one line."""
    signal.signal(signal.SIGTERM, _exit)  # so that a terminated command ends its runs like an interrupted one
    alone = {**ALONE, **others}
    verb = arguments[0] if arguments else ""
    explained = {verb: str(do.__doc__) for verb, (do, _) in [*VERBS.items(), *alone.items()]}
    try:
        if verb in alone:
            do, options = alone[verb]
            return do(parse(options, parser.read_alone(verb, arguments[1:], options, explained[verb]))) or 0
        command = parser.read(
            arguments, verbs={verb: options for verb, (_, options) in VERBS.items()}, explained=explained
        )
        VERBS[command.verb][0](command)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"interrupted: {INTERRUPTED.get(verb, 'the same command goes on where it was')}", file=sys.stderr)
        return 130
    return 0


def _exit(signal_number: int, _: object) -> NoReturn:
    raise SystemExit(128 + signal_number)
