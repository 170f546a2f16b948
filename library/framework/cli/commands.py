"""The verbs that train, and ask what was trained."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ..config import parse
from ..environment import start_keras
from ..errors import StoreError, UserError
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
from .parser import Command

if TYPE_CHECKING:
    from ..tracking.store import Store

DIFFERENT = 1
"""Exit status of a repeat from which something else came; 2 is that of an error."""


def train(command: Command) -> None:
    """Trains one config in full, scores, registers and promotes it: tracked, without a study."""
    options = parse(StoreOptions, command.options)
    config = parse(command.experiment.config, command.fields)
    command.experiment.digest(config)  # data that cannot be had is found before work begins

    from ..pipeline import train_in_full
    from ..tracking import session
    from . import output

    with session.open_store(options.store) as store:
        output.trained(train_in_full(command.name, command.experiment, config, store), store)


def tune(command: Command) -> None:
    """Searches for the best config, or goes on with a study that was begun, and trains the winner in full."""
    options = parse(StudyOptions, command.options)
    config = parse(command.experiment.config, command.fields)
    command.experiment.digest(config)

    from .. import tuning
    from ..discovery import find_space
    from ..tracking import session
    from . import output

    fixed = config.model_dump(include=set(command.fields))
    with session.open_store(options.store) as store:
        search = tuning.Search(command.name, command.experiment, find_space(command.name), fixed, options, store)
        output.tuned(tuning.tune(search), store)


def compare(command: Command) -> None:
    """Trains an experiment under several configs side by side, or goes on with it; tables and figures."""
    options = parse(ComparisonOptions, command.options)

    from ..comparison import baseline, grid
    from ..comparison.spec import Baseline
    from ..discovery import find_comparison
    from ..tracking import session
    from . import output

    comparison = find_comparison(command.name)
    for config in comparison.configs(command.experiment, command.fields, seed=0):
        command.experiment.digest(config)
    with session.open_store(options.store) as store:
        if isinstance(comparison, Baseline):
            output.measured(baseline.measure(command.name, comparison, command.fields, options, store))
        else:
            output.compared(grid.compare(command.name, comparison, command.fields, options, store))


def predict(command: Command) -> None:
    """Asks a registered model; which one follows from the experiment's fields and the stage."""
    options = parse(QueryOptions, command.options)
    config = parse(command.experiment.config, command.fields)
    try:
        question = command.experiment.ask(config, options.query, options.out)
    except ValueError as error:
        raise UserError(str(error)) from None

    with filled(options):
        from .. import registry

        start_keras(command.experiment.cores(config))
        model = registry.load(command.experiment.model_name(config), options.stage)
        print(question.show(model.predict(question.input, params=dict(question.params) or None)))


def repeat(options: RepeatOptions) -> int:
    """Trains a run again from what it recorded and tells whether all came out the same; registers nothing."""
    with filled(options) as store:
        from ..reproduction import rerun
        from . import output

        plan = rerun.plan(options.run)
        output.planned(plan, rerun.start(plan))
        run, verdict = rerun.repeat(plan, store)
        output.repeated(run, verdict)
        return 0 if verdict.is_same else DIFFERENT


def serve(options: ServeOptions) -> None:
    """Answers with a registered model over HTTP, to this machine alone, until it is stopped."""
    from ..serving import sockets

    with sockets.held(options.port) as listening, filled(options):
        from .. import registry
        from ..serving import app

        version = registry.find(options.model, options.stage)
        start_keras(app.cores(version))
        app.serve(registry.load_version(version), version, listening)


def models(options: StoreOptions) -> None:
    """Lists all registered models' versions: stage, score, run, age and size."""
    with filled(options):
        from .. import registry
        from . import output

        output.models(registry.overview())


def promote(options: PromotionOptions) -> None:
    """Moves a version of a registered model to a stage, unless it is refused."""
    with filled(options):
        from .. import registry
        from . import output

        promotion = registry.appoint(options.model, str(options.version), options.stage, force=options.force)
        output.moved(options.model, promotion)


def archive(options: VersionOptions) -> None:
    """Takes a version of a registered model out of its stage."""
    promote(PromotionOptions(**options.model_dump(), stage="Archived"))


def rollback(options: ModelOptions) -> None:
    """Brings back the version that was in Production before; once more goes further back."""
    with filled(options):
        from .. import registry
        from . import output

        output.moved(options.model, registry.rollback(options.model))


def history(options: ModelOptions) -> None:
    """Tells who of a registered model was in Production, when and why."""
    with filled(options):
        from .. import registry
        from . import output

        output.history(options.model, registry.history(options.model))


def report(options: PageOptions) -> None:
    """Writes one HTML page of the whole store, with tables and figures, that opens without a server."""
    with filled(options) as store:
        from .. import reporting

        print(reporting.write(options, store))


def filled(options: StoreOptions) -> AbstractContextManager["Store"]:
    """Opens a store that must be there: no empty one is made to look for something in it."""
    if not (options.store / "mlflow.db").exists():
        raise StoreError(f"store {options.store}: there is none; train or tune first, or give STORE=folder")
    from ..tracking import session

    return session.open_store(options.store)
