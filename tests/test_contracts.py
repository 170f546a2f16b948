"""What every experiment, search space and served model must keep; found by discovery, so an added one is tested too."""

import pickle
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import mlflow
import optuna
import pytest

from library import Config, Experiment, load_model, open_store
from library.framework import discovery
from library.framework.cli.commands import COMMANDS
from library.framework.config import parse
from library.framework.errors import UserError
from library.framework.options import StudyOptions
from library.framework.tracking.folder import FolderStore
from library.framework.tracking.store import Store
from library.framework.tuning.search import Search
from tests.eager import eagerly

NAMES = discovery.names()
of_each = pytest.mark.parametrize("name", NAMES)
# Enough to run every line, and to learn nothing.
SHRUNK = {
    "epochs": 1, "steps_per_epoch": 2, "batch_size": 8, "units": 4, "train_fraction": 0.99,
    "validation_fraction": 0.01, "images": 60, "latent_size": 3, "residuals": 1, "filters": "2-3-4",
    "discriminator_filters": "2-3-4", "hidden": 4, "pretraining": 0, "validation_samples": 10, "test_samples": 20,
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store for all experiments."""
    with open_store(shutil.copytree(empty_store, tmp_path_factory.mktemp("contracts") / "store")) as store:
        yield store


def shrunk(name: str) -> Experiment:
    """An experiment with those of the small values whose fields it has, of the same type."""
    experiment = discovery.find(name)
    defaults = {field: info.default for field, info in experiment.Config.model_fields.items()}
    return experiment(**{f: small for f, small in SHRUNK.items() if f in defaults and type(defaults[f]) is type(small)})


def drawn(name: str, seed: int) -> tuple[Search, optuna.Trial, Config]:
    """A search, a trial that its space has filled, and the trial's config."""
    search = Search(discovery.find(name)(), discovery.find_space(name), (), StudyOptions(), FolderStore(Path()))
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()
    return search, trial, search.experiment(trial, in_full=True).config


@of_each
def test_an_experiment_can_be_sent_to_workers_with_equal_data_and_its_config_written_as_params(name: str) -> None:
    experiment, space = shrunk(name), discovery.find_space(name)
    copy, same_space = pickle.loads(pickle.dumps((experiment, space)))  # noqa: S301
    assert (type(copy), copy.config, same_space) == (type(experiment), experiment.config, space)
    assert copy.dataset_digest == experiment.dataset_digest
    config = drawn(name, seed=1)[2]
    params = {field: str(value) for field, value in config.model_dump().items()}
    assert type(config)(**params) == discovery.find(name).from_params(params).config == config


def test_what_a_text_may_be_is_told_in_words() -> None:
    told = []
    configs = [discovery.find(name).Config for name in NAMES]
    for options in (StudyOptions, *configs, *COMMANDS.values(), *discovery.find_commands().values()):
        for name, field in options.model_fields.items():
            if any(getattr(one, "pattern", None) for one in field.metadata):
                needed = {key: "x" for key, one in options.model_fields.items() if one.is_required()}
                with pytest.raises(UserError, match=rf"^{field.alias or name}: got '\?'; allowed is [^^]+$"):
                    parse(options, needed | {field.alias or name: "?"})
                told.append(name)
    assert {"study", "address", "filters", "ui", "sha256"} <= set(told)


@of_each
@pytest.mark.parametrize("seed", range(5))
def test_a_space_gives_valid_configs_and_replays_exactly(name: str, seed: int) -> None:
    search, trial, config = drawn(name, seed)
    frozen = optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=0.0)
    assert search.experiment(frozen, in_full=True).config == config
    assert search.experiment(frozen, in_full=False).config != config, "a trial is cheaper than the full training"


@of_each
def test_the_shipped_experiment_shrunk_trains_scores_registers_and_answers(
    name: str, shared: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(matplotlib.rcParams, "savefig.dpi", 20)
    experiment = shrunk(name)
    with eagerly():
        outcome = experiment.train(shared)
        model = load_model(experiment.model_name)
        assert len(model.predict(model.input_example)) == len(model.input_example)
    run = mlflow.get_run(outcome.run)
    assert "epochs 1" in run.info.run_name  # the fields that are not at their defaults, and no others
    assert "seed" not in run.info.run_name
    about = mlflow.get_experiment(run.info.experiment_id).tags["mlflow.note.content"]
    assert re.sub(r" \[Runs with their scores\]\(\S+\)", "", about) == discovery.description(name) != ""
    assert outcome.stage == "Production"
    assert experiment.objectives
    assert experiment.resolved_objectives.keys() <= outcome.metrics.keys()
    score = mlflow.MlflowClient().get_model_version(outcome.model, outcome.version).tags["score"]
    assert score in run.data.metrics
    assert {f"{score}_low", f"{score}_high"} <= outcome.metrics.keys()
