"""What a study looks for, and what of it must not change while the study goes on."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import optuna
from optuna.distributions import distribution_to_json
from optuna.study import Study
from optuna.trial import BaseTrial
from sqlalchemy.pool import NullPool

from ..config import Config, parse
from ..errors import StudyChanged
from ..experiment import Experiment
from ..options import StudyOptions
from ..tracking.store import Store

Space = Callable[[BaseTrial], Mapping[str, Any]]


@dataclass(frozen=True)
class Search:
    """What a study looks for and where; all that a worker process needs."""

    name: str
    experiment: Experiment[Any]
    space: Space
    fixed: Mapping[str, Any]
    options: StudyOptions
    store: Store

    def __post_init__(self) -> None:
        object.__setattr__(self, "experiment", self.experiment.settled(self.base))

    @property
    def study_name(self) -> str:
        """What was asked for, else the name of the model that it tunes."""
        return self.options.study or self.experiment.model_name(self.base)

    @cached_property
    def base(self) -> Config:
        """The config without what the space suggests."""
        return parse(self.experiment.config, self.fixed)

    def config(self, trial: BaseTrial, *, in_full: bool) -> Config:
        """A trial's config: the space's values, those of a cheap trial unless in full, then what the user fixed.

        Raises:
            UserError: the space suggests a field that does not exist, or a value that is out of bounds.
        """
        suggested = self.space(_fixing(trial, self.fixed))
        cheap = {} if in_full else self.experiment.trial
        return parse(self.experiment.config, {**cheap, **suggested, **self.fixed})

    def study(self, sampler: optuna.samplers.BaseSampler | None = None) -> Study:
        """The study of this name; created, if there is none."""
        return optuna.create_study(
            storage=storage_of(self.store),
            sampler=sampler,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=self.experiment.prune_after),
            study_name=self.study_name,
            directions=list(self.experiment.objectives.values()),
            load_if_exists=True,
        )


def _fixing(trial: BaseTrial, fixed: Mapping[str, Any]) -> BaseTrial:
    """A trial that suggests what it is told to for fixed fields, and never records these."""
    return cast(BaseTrial, _Fixing(trial, fixed))


class _Fixing:
    def __init__(self, trial: BaseTrial, fixed: Mapping[str, Any]) -> None:
        self._trial, self._fixed = trial, fixed

    def __getattr__(self, attribute: str) -> Any:
        method = getattr(self._trial, attribute)
        if not attribute.startswith("suggest_"):
            return method
        return lambda name, *args, **kwargs: self._fixed[name] if name in self._fixed else method(name, *args, **kwargs)


def storage_of(store: Store) -> optuna.storages.RDBStorage:
    """Where Optuna keeps the studies of a store; made if it is not there."""
    # Without a pool, which Optuna would never close: a connection lasts as long as what is asked of it.
    settings = {"connect_args": {"timeout": 60}, "poolclass": NullPool}
    return optuna.storages.RDBStorage(store.studies_uri, engine_kwargs=settings)


def signature(search: Search) -> dict[str, str]:
    """What must not change while a study goes on, by name."""
    probe = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    config = search.config(probe, in_full=False)
    suggested = search.space(_fixing(probe, search.fixed)).keys() - search.fixed.keys()
    kept = {name: value for name, value in config.model_dump().items() if name not in suggested}
    return {
        "direction": ", ".join(search.experiment.objectives.values()),
        "objective": ", ".join(search.experiment.objectives),
        "data digest": search.experiment.digest(config),
        **{f"search space of {name}": distribution_to_json(d) for name, d in probe.distributions.items()},
        **{f"config field {name}": json.dumps(value) for name, value in kept.items()},
    }


def check_unchanged(study: Study, expected: Mapping[str, str]) -> None:
    """Raises StudyChanged if the study was begun with another signature; a new one is given this.

    Its directions are Optuna's own, which a study has before it has a signature.
    """
    directions = ", ".join(direction.name.lower() for direction in study.directions)
    begun = study.user_attrs.get("signature", {} if study.trials else dict(expected))
    begun = {**begun, "direction": directions}
    for name in sorted({*begun, *expected}):
        before, now = begun.get(name, "none"), expected.get(name, "none")
        if before != now:
            raise StudyChanged(
                f"study {study.study_name!r}: {name} was {before} when it began and is {now} now; "
                "change it back, or begin another with STUDY=name"
            )
    study.set_user_attr("signature", begun)
