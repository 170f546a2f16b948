"""python -m experiments VERB NAME [--field=value]: checks every value, then does the work.

Nothing heavy is imported before all values are known to be good: tensorflow and mlflow take seconds.
"""

import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from library import command_line
from library.command_line import Command
from library.errors import UserError
from library.options import (
    ComparisonOptions,
    CurationOptions,
    GenerationOptions,
    ModelOptions,
    Options,
    PageOptions,
    PromotionOptions,
    QueryOptions,
    RepeatOptions,
    ServeOptions,
    SideBySideOptions,
    StoreOptions,
    StudyOptions,
    VersionOptions,
    parse,
)
from library.verbs import cats, registered, store, trainings

VERBS: Mapping[str, tuple[Callable[[Command], None], type[Options]]] = {
    "train": (trainings.train, StoreOptions),
    "tune": (trainings.tune, StudyOptions),
    "compare": (trainings.compare, ComparisonOptions),
    "predict": (trainings.predict, QueryOptions),
}

ALONE: Mapping[str, tuple[Callable[[Any], int | None], type[Options]]] = {
    "cats": (cats.cats, CurationOptions),
    "generate": (cats.generate, GenerationOptions),
    "serve": (registered.serve, ServeOptions),
    "side-by-side": (cats.side_by_side, SideBySideOptions),
    "repeat": (trainings.repeat, RepeatOptions),
    "report": (store.report, PageOptions),
    "models": (registered.models, StoreOptions),
    "promote": (registered.promote, PromotionOptions),
    "archive": (registered.archive, VersionOptions),
    "rollback": (registered.rollback, ModelOptions),
    "history": (registered.history, ModelOptions),
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


def main(arguments: Sequence[str]) -> int:
    """Runs a command line and returns its exit status; what is the user's to mend is told in one line."""
    signal.signal(signal.SIGTERM, _exit)  # so that a terminated command ends its runs like an interrupted one
    verb = arguments[0] if arguments else ""
    explained = {verb: str(do.__doc__) for verb, (do, _) in [*VERBS.items(), *ALONE.items()]}
    try:
        if verb in ALONE:
            do, options = ALONE[verb]
            return do(parse(options, command_line.read_alone(verb, arguments[1:], options, explained[verb]))) or 0
        command = command_line.read(
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
