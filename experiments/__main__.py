"""python -m experiments VERB NAME [--field=value]: checks every value, then does the work.

Nothing heavy is imported before all values are known to be good: tensorflow and mlflow take seconds.
"""

import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from library import command_line
from library.command_line import Command
from library.compute import start_keras
from library.configs import ComparisonOptions, CurationOptions, Options, QueryOptions, StoreOptions, StudyOptions, parse
from library.errors import UserError


def train(command: Command) -> None:
    """Trains one config in full, scores, registers and promotes it: tracked, without a study."""
    options = parse(StoreOptions, command.options)
    config = parse(command.experiment.config, command.fields)
    command.experiment.digest(config)  # data that cannot be had is found before work begins

    from library import report, tracking
    from library.lifecycle import train_in_full

    with tracking.open_store(options.store) as store:
        name = command.experiment.model_name(config)
        report.trained(train_in_full(command.name, command.experiment, config, store, run_name=name), store)


def tune(command: Command) -> None:
    """Searches for the best config, or goes on with a study that was begun, and trains the winner in full."""
    options = parse(StudyOptions, command.options)
    config = parse(command.experiment.config, command.fields)
    command.experiment.digest(config)

    from library import report, tracking, tuning
    from library.discovery import find_space

    fixed = config.model_dump(include=set(command.fields))
    with tracking.open_store(options.store) as store:
        search = tuning.Search(command.name, command.experiment, find_space(command.name), fixed, options, store)
        report.tuned(tuning.tune(search), store)


def compare(command: Command) -> None:
    """Trains an experiment under several configs side by side, or goes on with it; a table and a figure."""
    options = parse(ComparisonOptions, command.options)

    from library import comparing, report, tracking
    from library.discovery import find_comparison

    comparison = find_comparison(command.name)
    for config in comparison.configs(command.experiment, command.fields, seed=0):
        command.experiment.digest(config)
    with tracking.open_store(options.store) as store:
        report.compared(comparing.compare(command.name, comparison, command.fields, options, store))


def predict(command: Command) -> None:
    """Asks a registered model; which one follows from the experiment's fields and the stage."""
    options = parse(QueryOptions, command.options)
    config = parse(command.experiment.config, command.fields)
    try:
        question = command.experiment.ask(config, options.query, options.out)
    except ValueError as error:
        raise UserError(str(error)) from None

    from library import registry, tracking

    with tracking.open_store(options.store):
        start_keras(command.experiment.cores(config))
        model = registry.load(command.experiment.model_name(config), options.stage)
        print(question.show(model.predict(question.input, params=dict(question.params) or None)))


def cats(options: CurationOptions) -> None:
    """Makes a set of cats of a folder, zip, tar, npy or address of images, or goes on with it."""
    from library import curating, tracking

    with tracking.open_store(options.store) as store:
        curating.make_cats(options, store)


VERBS: Mapping[str, tuple[Callable[[Command], None], type[Options]]] = {
    "train": (train, StoreOptions),
    "tune": (tune, StudyOptions),
    "compare": (compare, ComparisonOptions),
    "predict": (predict, QueryOptions),
}

ALONE: Mapping[str, tuple[Callable[[Any], None], type[Options]]] = {"cats": (cats, CurationOptions)}
"""Verbs that are of no experiment."""


def main(arguments: Sequence[str]) -> int:
    """Runs a command line and returns its exit status; what is the user's to mend is told in one line."""
    signal.signal(signal.SIGTERM, _exit)  # so that a terminated command ends its runs like an interrupted one
    verb = arguments[0] if arguments else ""
    explained = {verb: str(do.__doc__) for verb, (do, _) in [*VERBS.items(), *ALONE.items()]}
    try:
        if verb in ALONE:
            do, options = ALONE[verb]
            do(parse(options, command_line.read_alone(verb, arguments[1:], options, explained[verb])))
            return 0
        command = command_line.read(
            arguments, verbs={verb: options for verb, (_, options) in VERBS.items()}, explained=explained
        )
        VERBS[command.verb][0](command)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        goes_on = verb in ("tune", "compare", *ALONE)
        told = "the same command goes on where it was" if goes_on else "its run is recorded as killed"
        print(f"interrupted: {told}", file=sys.stderr)
        return 130
    return 0


def _exit(signal_number: int, _: object) -> NoReturn:
    raise SystemExit(128 + signal_number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
