"""The framework's commands, one class each; what is heavy is imported when all values are known to be good."""

from collections.abc import Mapping

from pydantic import Field

from ..config import Stage, TextPath
from ..demo.command import Demo
from ..discovery import comparison_names, find, find_comparison, find_space
from ..environment import start_keras
from ..options import EngineOptions, JsonOption, StudyOptions, VersionOptions
from .deletion import Delete, Gc
from .moving import MoveStore
from .parser import Command, Commands, ExperimentCommand, Fields
from .predict import Predict

DIFFERENT = 1
"""Exit status of a repetition with another result; 2 is that of an error."""


class Train(ExperimentCommand):
    """Trains one config in full, scores, registers and promotes it: tracked, without a study."""

    on_interrupt = "its run is recorded as killed"

    def __call__(self, name: str, fields: Mapping[str, str]) -> None:
        experiment = find(name)(**fields)
        _ = experiment.dataset_digest  # data that cannot be had are found before work begins

        from ..pipeline import train_in_full
        from . import output

        with self.open_store() as store:
            output.print_trained(train_in_full(experiment, store), store)


class Tune(ExperimentCommand, StudyOptions):
    """Searches for the best config, or resumes a study, and trains the winner in full."""

    def __call__(self, name: str, fields: Mapping[str, str]) -> None:
        experiment, space = find(name)(**fields), find_space(name)
        options = StudyOptions(**self.model_dump(include=set(StudyOptions.model_fields)))

        from ..tuning.samplers import resolve

        resolve(options, space, experiment.resolved_objectives)
        _ = experiment.dataset_digest

        from ..tuning.search import Search
        from ..tuning.study import tune
        from . import output

        with self.open_store() as store:
            output.print_tuned(tune(Search(experiment, space, tuple(fields), options, store)), store)


class Work(Command):
    """Helps a study that another process began, on this machine or another: runs its trials until it has enough."""

    on_interrupt = "its trials are queued again"
    study: str = Field(min_length=1, description="name of the study")
    workers: int = Field(1, ge=1, le=256, description="processes that divide the cores of this machine")

    def __call__(self) -> None:
        with self.open_existing_store(writes=True) as store:
            from ..tuning.study import join

            print(join(store, self.study, self.workers))


class Compare(ExperimentCommand, EngineOptions):
    """Trains an experiment under several configs side by side, or resumes that; tables and figures."""

    seeds: int = Field(1, ge=1, le=1000, description="trainings of each config, from seed 0 on")

    @classmethod
    def names(cls) -> list[str]:
        return comparison_names()

    @classmethod
    def fields(cls, name: str) -> Fields:
        """The fields of the experiment that the comparison of a name is about."""
        fields: Fields = find_comparison(name).experiment_type.Config.model_fields
        return fields

    def __call__(self, name: str, fields: Mapping[str, str]) -> None:
        comparison = find_comparison(name)
        for experiment in comparison.experiments(fields, seed=0):
            _ = experiment.dataset_digest

        with self.open_store() as store:
            options = self.model_dump(include=set(EngineOptions.model_fields))
            print(comparison.run(store, name, self.seeds, **options, **fields).markdown())


class Repeat(Command):
    """Trains a run again from its record and compares it value by value; registers nothing."""

    on_interrupt = "its run is recorded as killed"
    run: str = Field(description="id of the run, or how it begins if no other does")

    def __call__(self) -> int:
        with self.open_existing_store() as store:
            from ..reproduction import rerun
            from . import output

            plan = rerun.plan(self.run)
            output.print_plan(plan, rerun.start(plan))
            run, diff = rerun.repeat(plan, store)
            output.print_diff(run, diff)
            return 0 if diff.is_same else DIFFERENT


class Report(Command):
    """Writes one HTML page of the whole store, with tables and figures, that opens without a server."""

    on_interrupt = "nothing was written"
    out: TextPath = Field("", description="file to write, ending in .html; empty: STORE/report.html")
    ui: str = Field(
        "http://127.0.0.1:5000",
        pattern=r"^https?://[^\s\"'<>]+$",
        json_schema_extra={"allowed": "an address that begins with http:// or https://"},
        description="address of MLflow's pages, for links",
    )

    def __call__(self) -> None:
        with self.open_existing_store() as store:
            from ..reporting.html import write_report

            print(write_report(self.out, self.ui, store))


class Models(Command, JsonOption):
    """Lists all registered models' versions: stage, score, run, age and size."""

    def __call__(self) -> None:
        with self.open_existing_store():
            from ..registry.overview import overview
            from . import output

            output.print_models(overview(), as_json=self.json)


class Runs(Command, JsonOption):
    """Lists runs, the newest first: experiment, name, status, score and age."""

    experiment: str = Field("", description="name of the experiment in MLflow; empty: all")
    n: int = Field(20, ge=1, description="runs to list")

    def __call__(self) -> None:
        with self.open_existing_store():
            from ..tracking.queries import newest_runs
            from . import output

            output.print_runs(newest_runs(self.n, self.experiment), as_json=self.json)


class ModelCommand(Command):
    """A command on a registered model."""

    model: str = Field(min_length=1, description="name in the registry, such as seq2seq-text-to-text")


class Serve(ModelCommand, VersionOptions):
    """Answers with a registered model over HTTP, to this machine alone, until it is stopped."""

    on_interrupt = "the server has stopped"
    port: int = Field(5001, ge=1024, le=65535, description="port of 127.0.0.1 to answer on")

    def __call__(self) -> None:
        from ..serving import sockets

        with sockets.listen(self.port) as listening, self.open_existing_store():
            from ..registry.artifacts import find_version, load_version
            from ..serving import app

            version = find_version(self.model, self.stage, self.version)
            start_keras(app.num_threads(version))
            app.serve(load_version(version), version, listening)


class Ui(Command):
    """Shows runs and registered models with MLflow's pages, to this machine alone, until it is stopped."""

    on_interrupt = "the pages are closed"
    port: int = Field(5000, ge=1024, le=65535, description="port of 127.0.0.1 to answer on")

    def __call__(self) -> None:
        from ..serving import sockets

        with sockets.listen(self.port) as listening, self.open_existing_store() as store:
            from ..serving.pages import serve_mlflow

            serve_mlflow(store, listening)


class Dashboard(Command):
    """Shows studies with optuna-dashboard's pages, to this machine alone, until it is stopped."""

    on_interrupt = "the pages are closed"
    port: int = Field(8080, ge=1024, le=65535, description="port of 127.0.0.1 to answer on")

    def __call__(self) -> None:
        from ..serving import sockets

        with sockets.listen(self.port) as listening, self.open_existing_store() as store:
            from ..serving.pages import serve_dashboard

            serve_dashboard(store, listening)


class Promote(ModelCommand):
    """Moves a version of a registered model to a stage, unless there is a reason against it."""

    version: int = Field(ge=1, description="number of the version")
    force: bool = Field(False, description="do it regardless of reasons against it")
    stage: Stage = Field("Production", description="stage to move it to")

    def __call__(self) -> None:
        with self.open_existing_store(writes=True):
            from ..registry.stages import set_stage
            from . import output

            promotion = set_stage(self.model, str(self.version), self.stage, force=self.force)
            output.print_promotion(self.model, promotion)


class Archive(ModelCommand):
    """Takes a version of a registered model out of its stage."""

    version: int = Field(ge=1, description="number of the version")
    force: bool = Field(False, description="do it regardless of reasons against it")

    def __call__(self) -> None:
        Promote(**self.model_dump(), stage="Archived")()


class Rollback(ModelCommand):
    """Brings back the version that was in Production before; once more goes further back."""

    def __call__(self) -> None:
        with self.open_existing_store(writes=True):
            from ..registry.stages import rollback
            from . import output

            output.print_promotion(self.model, rollback(self.model))


class History(ModelCommand, JsonOption):
    """Lists which version of a registered model was in Production, when and why."""

    def __call__(self) -> None:
        with self.open_existing_store():
            from ..registry.overview import production_history
            from . import output

            output.print_history(self.model, production_history(self.model), as_json=self.json)


COMMANDS: Commands = {
    "train": Train, "tune": Tune, "work": Work, "compare": Compare, "predict": Predict, "repeat": Repeat,
    "serve": Serve, "ui": Ui, "dashboard": Dashboard, "demo": Demo, "report": Report, "models": Models,
    "runs": Runs, "promote": Promote, "archive": Archive, "rollback": Rollback, "history": History, "delete": Delete,
    "gc": Gc, "move-store": MoveStore,
}  # fmt: skip
"""The commands of the framework, by name; experiments bring their own as `COMMANDS` of their package."""
