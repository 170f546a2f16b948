"""python -m experiments VERB NAME [--field=value]: checks every value, then does the work.

Nothing heavy is imported before all values are known to be good: tensorflow and mlflow take seconds.
"""

import math
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NoReturn

from library import command_line, discovery
from library.command_line import Command
from library.compute import start_keras
from library.data import pictures
from library.errors import StoreError, UserError
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

if TYPE_CHECKING:
    from library.tracking import Store


def train(command: Command) -> None:
    """Trains one config in full, scores, registers and promotes it: tracked, without a study."""
    options = parse(StoreOptions, command.options)
    config = parse(command.experiment.config, command.fields)
    command.experiment.digest(config)  # data that cannot be had is found before work begins

    from library import report, tracking
    from library.lifecycle import train_in_full

    with tracking.open_store(options.store) as store:
        report.trained(train_in_full(command.name, command.experiment, config, store), store)


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
    """Trains an experiment under several configs side by side, or goes on with it; a table and figures."""
    options = parse(ComparisonOptions, command.options)

    from library import baselines, comparing, report, tracking
    from library.discovery import find_comparison
    from library.experiment import Baseline

    comparison = find_comparison(command.name)
    for config in comparison.configs(command.experiment, command.fields, seed=0):
        command.experiment.digest(config)
    with tracking.open_store(options.store) as store:
        if isinstance(comparison, Baseline):
            report.measured(baselines.measure(command.name, comparison, command.fields, options, store))
        else:
            report.compared(comparing.compare(command.name, comparison, command.fields, options, store))


def predict(command: Command) -> None:
    """Asks a registered model; which one follows from the experiment's fields and the stage."""
    options = parse(QueryOptions, command.options)
    config = parse(command.experiment.config, command.fields)
    try:
        question = command.experiment.ask(config, options.query, options.out)
    except ValueError as error:
        raise UserError(str(error)) from None

    with _filled(options):
        from library import registry

        start_keras(command.experiment.cores(config))
        model = registry.load(command.experiment.model_name(config), options.stage)
        print(question.show(model.predict(question.input, params=dict(question.params) or None)))


def cats(options: CurationOptions) -> None:
    """Makes a set of cats of a folder, zip, tar, npy or address of images, or goes on with it."""
    from library import curating, tracking

    with tracking.open_store(options.store) as store:
        curating.make_cats(options, store)


def generate(options: GenerationOptions) -> None:
    """Draws cats with a registered model and writes them as one PNG."""
    try:
        target = pictures.check_target(options.out)
    except ValueError as error:
        raise UserError(str(error)) from None
    experiment = discovery.find(options.model)
    config = experiment.config()
    with _filled(options):
        from library import registry
        from library.evaluation.cat_figures import tiled

        start_keras(experiment.cores(config))
        model = registry.load(experiment.model_name(config), options.stage)
        strategy = {"strategy": options.strategy} if options.strategy else {}
        try:
            drawn = model.predict([options.n], params={"seed": options.seed, **strategy})
        except ValueError as error:  # of a strategy that it does not have
            raise UserError(str(error)) from None
    pictures.save(tiled(drawn, columns=math.ceil(math.sqrt(options.n))), target)
    print(target)


def serve(options: ServeOptions) -> None:
    """Answers with a registered model over HTTP, to this machine alone, until it is stopped."""
    from library.server import ports

    with ports.held(options.port) as listening, _filled(options):
        from library import registry
        from library.server import service

        version = registry.find(options.model, options.stage)
        start_keras(service.cores(version))
        service.serve(registry.load_version(version), version, listening)


def side_by_side(options: SideBySideOptions) -> None:
    """Compares the registered models of cats of a stage: a run, tables, figures and a page of them."""
    with _filled(options) as store:
        start_keras(None)

        from library.side_by_side import compare

        compare(options, store)


def models(options: StoreOptions) -> None:
    """Lists all registered models' versions: stage, score, run, age and size."""
    with _filled(options):
        from library import listing, registry

        listing.models(registry.overview())


def promote(options: PromotionOptions) -> None:
    """Moves a version of a registered model to a stage, unless it is refused."""
    with _filled(options):
        from library import listing, registry

        promotion = registry.appoint(options.model, str(options.version), options.stage, force=options.force)
        listing.moved(options.model, promotion)


def archive(options: VersionOptions) -> None:
    """Takes a version of a registered model out of its stage."""
    promote(PromotionOptions(**options.model_dump(), stage="Archived"))


def rollback(options: ModelOptions) -> None:
    """Brings back the version that was in Production before; once more goes further back."""
    with _filled(options):
        from library import listing, registry

        listing.moved(options.model, registry.rollback(options.model))


def history(options: ModelOptions) -> None:
    """Tells who of a registered model was in Production, when and why."""
    with _filled(options):
        from library import listing, registry

        listing.history(options.model, registry.history(options.model))


def repeat(options: RepeatOptions) -> int:
    """Trains a run again from what it recorded and tells whether all came out the same; registers nothing."""
    with _filled(options) as store:
        from library import repeating, report

        plan = repeating.plan(options.run)
        report.planned(plan, repeating.start(plan))
        run, verdict = repeating.repeat(plan, store)
        report.repeated(run, verdict)
        return 0 if verdict.is_same else DIFFERENT


def report(options: PageOptions) -> None:
    """Writes one HTML page of the whole store, with tables and figures, that opens without a server."""
    with _filled(options) as store:
        from library import store_page

        print(store_page.write(options, store))


def _filled(options: StoreOptions) -> AbstractContextManager["Store"]:
    """Opens a store that must be there: no empty one is made to look for something in it."""
    if not (options.store / "mlflow.db").exists():
        raise StoreError(f"store {options.store}: there is none; train or tune first, or give STORE=folder")
    from library import tracking

    return tracking.open_store(options.store)


VERBS: Mapping[str, tuple[Callable[[Command], None], type[Options]]] = {
    "train": (train, StoreOptions),
    "tune": (tune, StudyOptions),
    "compare": (compare, ComparisonOptions),
    "predict": (predict, QueryOptions),
}

ALONE: Mapping[str, tuple[Callable[[Any], int | None], type[Options]]] = {
    "cats": (cats, CurationOptions),
    "generate": (generate, GenerationOptions),
    "serve": (serve, ServeOptions),
    "side-by-side": (side_by_side, SideBySideOptions),
    "repeat": (repeat, RepeatOptions),
    "report": (report, PageOptions),
    "models": (models, StoreOptions),
    "promote": (promote, PromotionOptions),
    "archive": (archive, VersionOptions),
    "rollback": (rollback, ModelOptions),
    "history": (history, ModelOptions),
}
"""Verbs that are of no experiment; they may tell an exit status, else it is 0."""

DIFFERENT = 1
"""Exit status of a repeat from which something else came; 2 is that of an error."""

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
