"""The contract between an experiment and the framework: a class that says what is learnt, and how it is scored.

An experiment is one class in `experiments/NAME.py` and one function `space(trial)` in `search_spaces/NAME.py`. All else
(tracking, tuning, pruning, resuming, comparison, registration, promotion, serving, loading) follows from them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from . import config as configs
from .config import parse
from .errors import UserError
from .objectives import BestWithinTolerance, Objectives, Selection
from .run import Callbacks, Run

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class TrainingResult:
    """A trained model, at its best epoch, and that epoch's metrics.

    An experiment may add what else it finds out about the model.
    """

    model: "keras.Model"
    metrics: Mapping[str, float]
    epoch: int


@dataclass(frozen=True)
class TestResult:
    """What a model scores on the test split.

    Attributes:
        metrics: named as in `test/exact_match`; an interval as `NAME_low` and `NAME_high`, a standard error as
            `NAME_standard_error`.
        per_example_scores: a score for every test example by the example's name, higher is better; promotion and
            comparisons compare two models example by example on those that both were tested on.
        score: the metric that a version is known by: up to its sign the mean of the scores of the examples. Empty: it
            is known by their mean, as `test/mean_score`.

    Raises:
        UserError: `score` names none of the metrics.
    """

    __test__ = False  # not a test, whatever pytest makes of the name

    metrics: Mapping[str, float]
    per_example_scores: Mapping[str, float]
    score: str = ""

    def __post_init__(self) -> None:
        if self.score and self.score not in self.metrics:
            raise UserError(f"score: got {self.score!r}; allowed are the metrics: {', '.join(self.metrics) or 'none'}")


@dataclass(frozen=True)
class ModelArtifacts:
    """What goes into the registry: a self-contained file that answers, and the files that it needs.

    Attributes:
        code: a Python file with an `mlflow.pyfunc.PythonModel`, kept as it is (MLflow's "models from code").
        files: the files it finds in `context.artifacts`, by name.
        example: an input that it answers.
        cli_example: options of the command that asks for a prediction, to be shown after training, as in `query`.
        command: `predict`, or a command that takes no experiment.
        example_output: what it answers, where the signature is to be inferred from both; not needed where `predict`
            has type hints.
        untyped_input: whether it takes inputs of several kinds; its signature tells the output and params alone, as
            MLflow can check only one kind, and its file checks its inputs itself.
        settings: the values it finds in `context.model_config`.
        params: what a caller may set by `predict(..., params=...)`, with the defaults; only with an example output.
        requirements: the packages it needs; their installed versions are pinned.
    """

    code: Path
    files: Mapping[str, Path]
    example: Any
    example_output: Any = None
    untyped_input: bool = False
    cli_example: Mapping[str, str] = field(default_factory=dict)
    command: str = "predict"
    settings: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    requirements: Sequence[str] = ("keras", "tensorflow", "numpy")


@dataclass(frozen=True)
class PredictRequest:
    """What `predict` gives a registered model, and how it shows the answer.

    Attributes:
        input: for one prediction, a batch of one: a list, an array or a data frame, so that several can be joined.
        show: makes of the model's outputs, for this one, the line that is printed.
        params: passed on as `predict(..., params=...)`.
    """

    input: Any
    show: Callable[[Any], str] = lambda outputs: str(outputs[0])
    params: Mapping[str, Any] = field(default_factory=dict)


class Experiment:
    """What is learnt, and how it is scored; an object of it is one config's work.

    To be defined: `Config`, `objectives`, `load`, `fit`, `test` and `package`. Everything else has a default.

    Attributes:
        Config: the fields, with the best known settings as defaults.
        objectives: the metrics of `TrainingResult.metrics` that a study optimises, and the direction of each; usually
            one. Of several, the most important comes first. A field in braces, as in `val/kid_{features}`, stands for
            its value in the config.
        select: which trial of the Pareto front wins; with one objective the front has one trial.
        constraints: the most that a metric of a trial may be, by name, such as `{"model/parameters": 50_000}`; also
            `time/training_seconds`, and what `TrainingResult.metrics` has. Samplers avoid trials beyond one, and such a
            trial does not win.
        trial_overrides: config values that make a trial cheap; the winner is trained without them.
        prune_after: epochs in which a trial is never pruned, as their scores say little yet.
        naming_fields: config fields of which each value makes a registered model of its own.
        data_fields: config fields that the data depend on; trials with equal ones share what was loaded. None: all.
        comparison: the `Comparison` of its configs that `make compare-NAME` makes; may be missing.
        name: of the experiment; `experiments/a_b.py` defines `a-b`.
        config: this object's config.
    """

    Config: ClassVar[type[configs.Config]]
    objectives: ClassVar[Objectives]
    select: ClassVar[Selection] = BestWithinTolerance()
    constraints: ClassVar[Mapping[str, float]] = {}
    trial_overrides: ClassVar[Mapping[str, Any]] = {}
    prune_after: ClassVar[int] = 0
    naming_fields: ClassVar[Sequence[str]] = ()
    data_fields: ClassVar[Sequence[str] | None] = None
    comparison: ClassVar[Any]
    name: ClassVar[str]
    config: Any

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "name" not in vars(cls):
            file = cls.__module__.rpartition(".")[2]
            cls.name = (cls.__name__.lower() if file == "__main__" else file).replace("_", "-")

    def __init__(self, config: configs.Config | None = None, /, **fields: Any) -> None:
        """The work of one config.

        Args:
            config: an object of `Config`; made of the fields unless given.
            fields: of the config, where they are not to have their defaults; texts are read as on the command line.

        Raises:
            UserError: a field does not exist or is out of bounds.
        """
        self.config = parse(self.Config, fields) if config is None else config

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> Self:
        """The experiment of a run's params; what else the run recorded is left out, what it lacks is default.

        Raises:
            UserError: a value is not allowed any more.
        """
        return cls(**{name: params[name] for name in cls.Config.model_fields if name in params})

    def load(self) -> Any:
        """The data of this config, with a `digest`; called once, as `data`.

        Raises:
            UserError: the data cannot be had.
        """
        raise NotImplementedError

    def fit(self, run: Run, callbacks: Callbacks = ()) -> TrainingResult:
        """Builds a model and trains it, reports to the run, passes the callbacks on to `Trainer.fit`."""
        raise NotImplementedError

    def test(self, model: "keras.Model", run: Run) -> TestResult:
        """Scores a trained model on the test split and reports to the run; called once for each final model."""
        raise NotImplementedError

    def package(self, model: "keras.Model", folder: Path) -> ModelArtifacts:
        """Writes into a folder what a registered model consists of; called after `test`, on the same object."""
        raise NotImplementedError

    @cached_property
    def data(self) -> Any:
        """What `load` gave."""
        return self.load()

    @cached_property
    def dataset_digest(self) -> str:
        """Names the exact data that this config trains on; a study goes on with no other."""
        return str(self.data.digest)

    @property
    def model_name(self) -> str:
        """The name in the registry of what this config trains: the experiment's, and the values of `naming_fields`."""
        return "-".join([self.name, *(str(getattr(self.config, field)) for field in self.naming_fields)])

    @property
    def config_metrics(self) -> Mapping[str, float]:
        """Metrics that the config alone decides, such as `model/latent_size`; every result has them.

        A study of several objectives prunes trials where an epoch's metrics and these have all objectives.
        """
        return {}

    @property
    def num_threads(self) -> int | None:
        """How many threads the training of this config makes good use of; None: one for each core."""
        return None

    @property
    def dependencies(self) -> "Sequence[Experiment]":
        """Experiments whose registered models this one works with; they are trained first where there is none."""
        return ()

    def parse_query(self, query: str, out: str = "", seed: int = 0) -> PredictRequest:
        """What the registered model takes, from the QUERY, OUT and SEED of `predict`.

        Raises:
            ValueError: the model would refuse it; one line says why.
        """
        return PredictRequest([query])

    def reuse(self, other: "Experiment") -> Self:
        """This experiment, with the data that another object has loaded where it depends on equal fields."""
        fields = self.Config.model_fields if self.data_fields is None else self.data_fields
        if "data" in vars(other) and all(getattr(self.config, one) == getattr(other.config, one) for one in fields):
            vars(self)["data"] = other.data
        return self

    @property
    def resolved_objectives(self) -> Objectives:
        """The objectives, named as this config's metrics are."""
        fields = self.config.model_dump()
        return {name.format(**fields): direction for name, direction in self.objectives.items()}

    def train(self, store: Any, callbacks: Callbacks = ()) -> Any:
        """Trains this config in full, scores, registers and promotes the model: `make train-NAME`.

        Args:
            store: what `open_store` gave.
            callbacks: Keras's own, or any other.

        Returns:
            The `pipeline.Outcome`: the run, its metrics, the version and its stage.
        """
        return _layer("pipeline").train_in_full(self, store, callbacks=callbacks)

    def tune(self, store: Any, space: Callable[..., Mapping[str, Any]] | None = None, **options: Any) -> Any:
        """Searches for the best config and trains the winner in full, or resumes a study: `make tune-NAME`.

        Args:
            store: what `open_store` gave.
            space: the search space; that of `search_spaces/NAME.py` unless given.
            options: `trials`, `workers`, `study` and others, as the command has them; `from_study` is its `from`.
                Fields of this object's config that differ from the defaults stay as they are.

        Returns:
            The `tuning.study.Tuned`: the study, its Pareto front, the best trial and the outcome of its training.
        """
        return _layer("tuning.study").tune_experiment(self, store, space, options)


def _layer(name: str) -> Any:
    """A module of a layer above this one, imported when it is called: the contract itself needs none of them."""
    return import_module(f".{name}", __package__)
