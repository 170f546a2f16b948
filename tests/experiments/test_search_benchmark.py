"""The tables of trained configs, and studies replayed on them."""

from pathlib import Path

import numpy as np
import optuna
import pytest

from experiments.benchmarks.search import OURS, STEPS, TABLES, Policy, replay
from experiments.benchmarks.tables import FOLDER, Table
from library.framework.discovery import find_space


@pytest.fixture(params=TABLES)
def table(request: pytest.FixtureRequest) -> Table:
    return Table.load(request.param)


def test_a_table_begins_with_the_defaults_and_has_values_of_the_search_space(table: Table) -> None:
    defaults = table.experiment.config.model_dump()
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    find_space(table.name)(trial)
    for name, kind in trial.distributions.items():
        assert table.rows[name].iloc[0] == defaults[name]
        assert all(kind._contains(kind.to_internal_repr(value.item())) for value in table.rows[name].to_numpy()), name
    assert not table.rows[list(trial.distributions)].duplicated().any()


def test_a_trial_gets_the_nearest_config_and_its_training(table: Table) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    names = list(table.space(trial))
    for row in (0, len(table.rows) // 2, len(table.rows) - 1):
        wanted = {name: table.rows[name].iloc[row].item() for name in names}
        study.enqueue_trial(wanted)
        trial = study.ask()
        assert table.space(trial) == wanted
        losses, seconds = table.training(trial)
        np.testing.assert_array_equal(losses, table.losses[row])
        assert (np.diff(seconds[np.isfinite(losses)]) > 0).all()


def test_a_replayed_study_repeats_is_no_worse_than_its_first_trial_and_is_shorter_with_a_pruner(table: Table) -> None:
    assert replay(table.name, OURS, 1) == replay(table.name, OURS, 1)
    assert replay(table.name, OURS, 1) != replay(table.name, OURS, 2)
    of_defaults = table.losses[0, -1] - np.nanmin(table.losses[:, -1])
    assert all(replay(table.name, STEPS["trial 0 has the defaults"], seed)[0] <= of_defaults for seed in range(3))
    regrets, minutes = np.transpose([replay(table.name, Policy(pruner="none"), seed) for seed in range(3)])
    assert (regrets >= 0).all()
    pruned = [replay(table.name, Policy(pruner="median"), seed)[1] for seed in range(3)]
    assert np.mean(pruned) < np.mean(minutes)


def test_the_tables_are_small() -> None:
    assert sum(path.stat().st_size for path in Path(FOLDER).iterdir()) < 2_000_000
