"""What a study looks for, and what of it must not change while the study is resumed."""

import json
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import optuna
from optuna.distributions import distribution_to_json
from optuna.study import Study
from optuna.trial import BaseTrial

from ..config import Config
from ..environment import option
from ..errors import StoreError, StudyChanged, StudyDeleted
from ..experiment import Experiment
from ..objectives import Objectives
from ..options import StudyOptions
from ..tracking.store import Store
from .attributes import keep, kept
from .samplers import make_pruner, resolve

optuna.logging.set_verbosity(optuna.logging.ERROR)

Space = Callable[[BaseTrial], Mapping[str, Any]]


@dataclass(frozen=True)
class Search:
    """What a study looks for and where; all that a worker process needs.

    Attributes:
        base: the experiment without what the space suggests.
        space: suggests fields of a trial's config.
        fixed: the fields that were set by the user; they stay as `base` has them.
    """

    base: Experiment
    space: Space
    fixed: Collection[str]
    options: StudyOptions
    store: Store

    @property
    def study_name(self) -> str:
        """The name that was given, else that of the model that the study tunes."""
        return self.options.study or self.base.model_name

    @property
    def objectives(self) -> Objectives:
        """What is optimised, named as the metrics are."""
        return self.base.resolved_objectives

    @property
    def fixed_values(self) -> dict[str, Any]:
        """The fixed fields with their values."""
        return {name: getattr(self.base.config, name) for name in self.fixed}

    def as_json(self) -> dict[str, Any]:
        """All but the space and the store, for whoever joins the study."""
        fixed = self.base.config.model_dump(mode="json", include=set(self.fixed))
        options = self.options.model_dump(mode="json", exclude={"notify"})  # which may hold a secret
        return {"experiment": self.base.name, "fixed": fixed, "options": options}

    def num_trials(self, study: Study) -> int:
        """How many trials the study is to have: the number of its last command, which may be newer than this one."""
        last = kept(study, "search")
        return int(last["options"]["trials"]) if last else self.options.trials

    def experiment(self, trial: BaseTrial, *, in_full: bool) -> Experiment:
        """A trial's experiment: the space's values, the overrides of trials unless in full, then the fixed fields.

        A field that the space suggests and that does not exist, or a value that is out of bounds, is a UserError.
        """
        overrides = {} if in_full else self.base.trial_overrides
        return type(self.base)(**{**overrides, **self.suggested(trial), **self.fixed_values}).reuse(self.base)

    def suggested(self, trial: BaseTrial) -> Mapping[str, Any]:
        """The space's values for a trial, which records none for fixed fields."""
        return self.space(cast(BaseTrial, _FixingTrial(trial, self.fixed_values)))

    @property
    def sampler(self) -> str:
        """The name of the sampler, as `samplers.resolve` finds it."""
        return resolve(self.options, self.space, self.objectives)[0]

    @property
    def pruner(self) -> str:
        """The name of the pruner, likewise."""
        return resolve(self.options, self.space, self.objectives)[1]

    def study(self) -> Study:
        """The study of this name; created, if there is none."""
        return optuna.create_study(
            storage=storage_of(self.store),
            pruner=make_pruner(self.pruner, self.base.prune_after),
            study_name=self.study_name,
            directions=list(self.objectives.values()),
            load_if_exists=True,
        )


class _FixingTrial:
    """A trial that suggests fixed values for fixed fields, and never records these."""

    def __init__(self, trial: BaseTrial, fixed: Mapping[str, Any]) -> None:
        self._trial, self._fixed = trial, fixed

    def __getattr__(self, attribute: str) -> Any:
        method = getattr(self._trial, attribute)
        if not attribute.startswith("suggest_"):
            return method
        return lambda name, *args, **kwargs: self._fixed[name] if name in self._fixed else method(name, *args, **kwargs)


def storage_of(store: Store) -> optuna.storages.RDBStorage:
    """Where Optuna keeps the studies of a store; created if it is not there.

    Raises:
        StoreError: another version of Optuna made it.
    """
    storage = optuna.storages.RDBStorage(
        store.studies_uri, engine_kwargs=dict(store.engine_settings), skip_compatibility_check=True
    )
    if (version := storage.get_current_version()) == storage.get_head_version():
        return storage
    if version in storage.get_all_versions():
        upgrade = shlex.join(["optuna", "storage", "upgrade", "--storage", store.studies_uri])
        raise StoreError(f"studies: an older Optuna made {store.studies_uri}; copy it, then upgrade it: {upgrade}")
    now = f"{optuna.__version__}; pip install --upgrade optuna"
    raise StoreError(f"studies: a newer Optuna made {store.studies_uri} than the installed {now}")


def existing_storage(store: Store) -> optuna.storages.RDBStorage | None:
    """As `storage_of`, but None where a store has no studies yet: no database, or an empty file in its place."""
    return storage_of(store) if store.has_studies else None


@contextmanager
def existing(study: Study) -> Iterator[None]:
    """Raises StudyDeleted in place of Optuna's KeyError where the study was deleted while the block ran."""
    try:
        yield
    except KeyError as error:
        try:
            _ = study.user_attrs
        except KeyError:
            again = "the same command begins it anew"
            raise StudyDeleted(f"study {study.study_name!r} was deleted while it ran; {again}") from error
        raise


def signature(search: Search) -> dict[str, str]:
    """What must not change while a study is resumed, by name."""
    probe = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    experiment = search.experiment(probe, in_full=False)
    suggested = search.suggested(probe).keys() - set(search.fixed)
    kept = {name: value for name, value in experiment.config.model_dump().items() if name not in suggested}
    return {
        "direction": ", ".join(search.objectives.values()),
        "objective": ", ".join(search.objectives),
        "data digest": experiment.dataset_digest,
        "seeds": str(search.options.seeds),
        **{f"constraint on {name}": str(most) for name, most in experiment.constraints.items()},
        **{f"search space of {name}": distribution_to_json(d) for name, d in probe.distributions.items()},
        **{f"config field {name}": json.dumps(value) for name, value in kept.items()},
    }


def check_unchanged(study: Study, expected: Mapping[str, str], config: type[Config]) -> None:
    """Raises StudyChanged if the study was begun with another signature; a new study gets this one.

    Its directions are Optuna's own, which a study has before it has a signature. Fields that the config got since then
    had their defaults.
    """
    defaults = {"seeds": "1"} | {
        f"config field {name}": json.dumps(field.get_default(call_default_factory=True), default=str)
        for name, field in config.model_fields.items()
    }
    directions = ", ".join(direction.name.lower() for direction in study.directions)
    begun = kept(study, "signature") or ({} if study.trials else dict(expected))
    begun = {**begun, "direction": directions}
    if not any(trial.values or trial.intermediate_values for trial in study.get_trials(deepcopy=False)):
        begun["objective"] = expected["objective"]  # a misspelled one is corrected: no trial had a value of it
    for name in sorted({*begun, *expected}):
        before, now = begun.get(name, defaults.get(name, "none")), expected.get(name, "none")
        if before != now:
            raise StudyChanged(
                f"study {study.study_name!r}: {name} was {before} when it began and is {now} now; "
                f"change it back, or begin another with {option(study='name')}"
            )
    keep(study, "signature", {**expected, **begun})
