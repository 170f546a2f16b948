"""The verbs that train, and ask what was trained."""

from library.command_line import Command
from library.compute import start_keras
from library.errors import UserError
from library.options import ComparisonOptions, QueryOptions, RepeatOptions, StoreOptions, StudyOptions, parse
from library.verbs.store import filled

DIFFERENT = 1
"""Exit status of a repeat from which something else came; 2 is that of an error."""


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
    """Trains an experiment under several configs side by side, or goes on with it; tables and figures."""
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

    with filled(options):
        from library import registry

        start_keras(command.experiment.cores(config))
        model = registry.load(command.experiment.model_name(config), options.stage)
        print(question.show(model.predict(question.input, params=dict(question.params) or None)))


def repeat(options: RepeatOptions) -> int:
    """Trains a run again from what it recorded and tells whether all came out the same; registers nothing."""
    with filled(options) as store:
        from library import repeating, report

        plan = repeating.plan(options.run)
        report.planned(plan, repeating.start(plan))
        run, verdict = repeating.repeat(plan, store)
        report.repeated(run, verdict)
        return 0 if verdict.is_same else DIFFERENT
