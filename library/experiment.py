"""The contract between an experiment and the framework: what one fills in, what the other asks for.

An experiment is one `Experiment` object in `experiments/NAME.py` and one function `space(trial)` in
`search_spaces/NAME.py`. All else (tracking, tuning, pruning, resuming, registration, promotion, loading) follows.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self

from library.configs import C, Config
from library.errors import UserError
from library.objectives import Choice, Objectives, Within
from library.options import parse

if TYPE_CHECKING:
    import keras
    import numpy as np
    from matplotlib.figure import Figure

Callback = Callable[[int, Mapping[str, float]], None]
"""Called after every epoch with its number (from 1) and its metrics (`val/loss`, ...); may raise to stop.

`Enough` ends the training as if it were over; anything else is passed on.
"""

Callbacks = Sequence[Callback]


class Enough(Exception):
    """What a callback raises to end a training after this epoch, as if all its epochs were over."""


class Run:
    """Where a training reports to. This one keeps nothing; `library.tracking` has the one that writes to MLflow."""

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Keeps values of one moment; names read `split/metric`."""

    def log_dataset(self, name: str, digest: str, splits: "Mapping[str, np.ndarray]") -> None:
        """Keeps which data was used: the digest of the whole and the shape of each split's inputs."""

    def log_figure(self, name: str, figure: "Figure") -> None:
        """Keeps a picture as `figures/NAME.png` and closes it."""

    def log_image(self, name: str, image: "np.ndarray", step: int = 0) -> None:
        """Keeps an image `[height, width, 3]` uint8 of one moment; MLflow shows those of a name as a course."""

    def log_table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Keeps a table as `tables/NAME.json`, which MLflow's pages show as one, in place of one of that name."""

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Keeps words about the run."""


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as `Run.log_table` takes them: at least one, each with a value for the keys of the first."""
    return {column: [row[column] for row in rows] for column in rows[0]}


@dataclass(frozen=True)
class Result:
    """A trained model, at its best epoch, and that epoch's metrics.

    An experiment may add what it knows of the model besides, such as `model/latent_size`.
    """

    model: "keras.Model"
    metrics: Mapping[str, float]
    epoch: int


@dataclass(frozen=True)
class Scores:
    """What a model is worth on the test split.

    Attributes:
        metrics: named as in `test/exact_match`.
        outcomes: a score for every test example by the example's name, higher is better; promotion compares two
            models example by example on those that both were tested on.
    """

    metrics: Mapping[str, float]
    outcomes: Mapping[str, float]


@dataclass(frozen=True)
class Package:
    """What goes into the registry: a self-contained file that answers, and the files that it needs.

    Attributes:
        code: a Python file with an `mlflow.pyfunc.PythonModel`, kept as it is (MLflow's "models from code").
        files: the files it finds in `context.artifacts`, by name.
        example: an input that it answers.
        asked: options of the verb that ask for it, to be shown when it was trained, as in `query`.
        verb: `predict`, or one that is of no experiment.
        answer: what it answers, where the signature is to be told from both; not needed where `predict` has type hints.
        any_input: whether it takes inputs of several kinds; its signature tells the answer and params alone, as MLflow
            can check but one kind, and its file checks what it is given.
        settings: the values it finds in `context.model_config`.
        params: what a caller may set by `predict(..., params=...)`, and the values otherwise; only with an answer.
        requirements: the packages it needs; their installed versions are pinned.
    """

    code: Path
    files: Mapping[str, Path]
    example: Any
    answer: Any = None
    any_input: bool = False
    asked: Mapping[str, str] = field(default_factory=dict)
    verb: str = "predict"
    settings: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    requirements: Sequence[str] = ("keras", "tensorflow", "numpy")


@dataclass(frozen=True)
class Question:
    """What `predict` gives a registered model, and how it tells the answer.

    Attributes:
        input: for one prediction, a batch of one.
        show: makes of the model's answers the line that is printed.
        params: what else the model is told, as in `predict(..., params=...)`.
    """

    input: Any
    show: Callable[[Any], str] = lambda answers: str(answers[0])
    params: Mapping[str, Any] = field(default_factory=dict)


def ask_text(_: Any, query: str, __: str) -> Question:
    """A question whose input is the query itself."""
    return Question([query])


def nothing(_: Any) -> None:
    """Asks for no more than there is."""


def name_of_file(config: Config) -> str:
    """The experiment's name, told by the file of its config: `experiments/a_b.py` is `a-b`."""
    return type(config).__module__.rpartition(".")[2].replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class Experiment(Generic[C]):
    """All that the framework needs to know of an experiment.

    Functions must be those of a module, not lambdas: worker processes find them by their names.

    Attributes:
        config: its fields, with the best known settings as defaults.
        digest: names the exact data that a config trains on; a study goes on with no other.
        train: trains a model from a config, reports to the run, calls the callbacks after every epoch.
        test: scores a trained model on the test split and reports to the run; asked once for each final model.
        package: writes into a folder what a registered model consists of.
        model_name: the name in the registry of what this config trains; the experiment's own, unless told.
        objectives: the metrics of `Result.metrics` that a study optimises, and whether more or less of each is better;
            usually one. Of several, that which matters most comes first. A field in braces, as in `val/kid_{features}`,
            stands for what the config has of it.
        choose: which trial of the Pareto front wins; with one objective there is but one.
        trial: config values that make a trial cheap; the winner is trained without them.
        prune_after: epochs in which a trial is never pruned, as their scores say little yet; with several objectives
            none ever is, as Optuna prunes by a single score.
        cores: how many the training of a config makes good use of; None is all that there are.
        ask: makes of the QUERY and OUT of `predict` what the registered model takes; raises ValueError for what it
            would refuse.
        needs: configs of other experiments, by their names, from which a registered model must be trained first.
    """

    config: type[C]
    digest: Callable[[C], str]
    train: Callable[[C, Run, Callbacks], Result]
    test: "Callable[[C, keras.Model, Run], Scores]"
    package: "Callable[[C, keras.Model, Path], Package]"
    model_name: Callable[[C], str] = name_of_file
    objectives: Objectives
    choose: Choice = field(default_factory=Within)
    trial: Mapping[str, Any] = field(default_factory=dict)
    prune_after: int = 0
    cores: Callable[[C], int | None] = nothing
    ask: Callable[[C, str, str], Question] = ask_text
    needs: Callable[[C], Mapping[str, Config] | None] = nothing

    def recorded(self, params: Mapping[str, str]) -> C:
        """The config of which a run recorded these params; what else it recorded is left out, what it lacks is default.

        Raises:
            UserError: a value is not allowed any more.
        """
        return parse(self.config, {name: params[name] for name in self.config.model_fields if name in params})

    def settled(self, config: C) -> Self:
        """The same experiment, with the objectives' names as this config's metrics have them."""
        fields = config.model_dump()
        return replace(self, objectives={name.format(**fields): way for name, way in self.objectives.items()})


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Which configs of an experiment to compare.

    Attributes:
        experiment: its name.
        along: the field on the figure's axis, and its values.
        lines: the field that makes a line each, and its values.
        fields: what all configs have in common.
        paired: whether the lines are asked the same test queries, so that they can be set against each other query by
            query; `test` then keeps a table `wrong-answers` with the `query` of each.
    """

    experiment: str
    along: tuple[str, Sequence[Any]]
    lines: tuple[str, Sequence[Any]]
    fields: Mapping[str, Any] = field(default_factory=dict)
    paired: bool = False

    def configs(self, experiment: Experiment[Any], fixed: Mapping[str, Any], seed: int) -> Iterator[Config]:
        """All configs of one seed, those of a line together; a compared field that is fixed keeps those of its value.

        Raises:
            UserError: a compared field is fixed to another value, or a field does not exist or is out of bounds.
        """
        _check_seed(fixed)
        compared = {}
        for name, values in (self.lines, self.along):
            compared[name] = [value for value in values if str(value) == str(fixed.get(name, value))]
            if not compared[name]:
                allowed = ", ".join(map(str, values))
                raise UserError(f"{name}: got {fixed[name]!r}; compared are {allowed}")
        for cell in itertools.product(*compared.values()):
            fields = {**self.fields, **fixed, **dict(zip(compared, cell, strict=True)), "seed": seed}
            yield parse(experiment.config, fields)


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What an experiment's defaults are measured against: another config, trained for as long as they are.

    Attributes:
        experiment: its name.
        fields: those that are the baseline's own, whatever the command fixes; neither of the data nor of the scores.
        figures: which of both runs' figures are put side by side.
    """

    experiment: str
    fields: Mapping[str, Any]
    figures: Sequence[str] = ()

    def configs(self, experiment: Experiment[Any], fixed: Mapping[str, Any], seed: int) -> Iterator[Config]:
        """The defaults of one seed, but for what is fixed; then the baseline, as long as it takes.

        Raises:
            UserError: a field does not exist or is out of bounds.
        """
        _check_seed(fixed)
        for fields in (fixed, {**fixed, **self.fields}):
            yield parse(experiment.config, {**fields, "seed": seed})


def _check_seed(fixed: Mapping[str, Any]) -> None:
    if "seed" in fixed:
        raise UserError(f"seed: got {fixed['seed']!r}; a comparison trains from seed 0 on, give SEEDS=how many")
