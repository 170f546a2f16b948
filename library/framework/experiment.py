"""The contract between an experiment and the framework: what one fills in, what the other asks for.

An experiment is one `Experiment` object in `experiments/NAME.py` and one function `space(trial)` in
`search_spaces/NAME.py`. All else (tracking, tuning, pruning, resuming, registration, promotion, loading) follows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self

from .config import C, Config, parse
from .objectives import Choice, Objectives, Within

if TYPE_CHECKING:
    import keras
from .run import Callbacks, Run


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
