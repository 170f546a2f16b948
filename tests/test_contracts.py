"""What every experiment, search space and served model must keep; found by discovery, so an added one is tested too."""

import pickle
from pathlib import Path

import mlflow
import optuna
import pytest

from library.framework import discovery, pipeline, registry
from library.framework.config import Config
from library.framework.environment import start_keras
from library.framework.experiment import Experiment
from library.framework.options import StudyOptions
from library.framework.tracking.store import Store
from library.framework.tuning import Search

NAMES = discovery.names()
# Enough to run every line, and to learn nothing.
SHRUNK = {
    "epochs": 1, "steps_per_epoch": 2, "batch_size": 8, "images": 60, "latent_size": 3, "residuals": 1,
    "filters": "2-3-4", "discriminator_filters": "2-3-4", "hidden": 4, "pretraining": 0, "validation_samples": 10,
    "test_samples": 20,
}  # fmt: skip


def shrunk(experiment: Experiment) -> Config:
    """An experiment's config with those of the small values whose fields it has, of the same kind."""
    fields = experiment.config.model_fields
    return experiment.config(
        **{
            name: value
            for name, value in SHRUNK.items()
            if name in fields and isinstance(fields[name].default, type(value))
        }
    )


def drawn(name: str, seed: int) -> tuple[Search, optuna.Trial, Config]:
    """A search, a trial that its space has filled, and the trial's config."""
    search = Search(name, discovery.find(name), discovery.find_space(name), {}, StudyOptions(), Store(Path()))
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()
    return search, trial, search.config(trial, in_full=True)


@pytest.mark.parametrize("name", NAMES)
def test_workers_can_be_handed_the_experiment_and_its_space(name: str) -> None:
    experiment, space = discovery.find(name), discovery.find_space(name)
    assert pickle.loads(pickle.dumps((experiment, space))) == (experiment, space)  # noqa: S301


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(5))
def test_a_space_gives_valid_configs_and_replays_exactly(name: str, seed: int) -> None:
    search, trial, config = drawn(name, seed)
    frozen = optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=0.0)
    assert search.config(frozen, in_full=True) == config
    assert search.config(frozen, in_full=False) != config, "a trial is to be cheaper than the full training"


@pytest.mark.parametrize("name", NAMES)
def test_a_config_survives_being_written_as_params(name: str) -> None:
    config = drawn(name, seed=1)[2]
    assert type(config)(**{field: str(value) for field, value in config.model_dump().items()}) == config


@pytest.mark.parametrize("name", NAMES)
def test_the_digest_of_the_data_is_a_function_of_the_config(name: str) -> None:
    experiment = discovery.find(name)
    assert experiment.digest(shrunk(experiment)) == experiment.digest(shrunk(experiment))


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_experiment_shrunk_trains_scores_registers_and_answers(name: str, store: Store) -> None:
    experiment = discovery.find(name)
    config = shrunk(experiment)
    start_keras(experiment.cores(config))
    outcome = pipeline.train_in_full(name, experiment, config, store)
    title = mlflow.get_run(outcome.run).info.run_name  # what sets it apart from the defaults, and nothing else
    assert "epochs 1" in title
    assert "seed" not in title
    assert outcome.stage == "Production"
    assert experiment.objectives
    assert experiment.settled(config).objectives.keys() <= outcome.metrics.keys()
    assert any(metric.startswith("test/") for metric in outcome.metrics)
    model = registry.load(experiment.model_name(config))
    example = model.input_example
    assert len(model.predict(example)) == len(example)
