"""Asks Optuna for trials so that no config is trained twice, and knows when a space has no other.

A sampler does not know what its values become: two different ones can give one config, and TPE draws the best again.
"""

import json
import socket
from typing import Any

from optuna.study import Study
from optuna.trial import BaseTrial, FrozenTrial, Trial, TrialState

from ..errors import UserError
from .combinations import ContinuousError, all_combinations
from .search import Search
from .trials import DUPLICATE, REPEATS, WORKER

MAX_DRAWS = 10
"""Draws for one trial of a space whose configs cannot be counted."""
COUNTABLE_DRAWS = 3
"""Draws for one trial of a space whose configs can be counted; then any that was not tried is taken."""
PRECEDENCE = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING, TrialState.FAIL)
"""Of several trials of one config, the result of the first of these states is taken for a duplicate."""


class DistinctTrials:
    """The trials of a study whose configs differ, for one worker; where it calls `next`, it holds the lock."""

    def __init__(self, search: Search, study: Study, worker: str = "") -> None:
        self._search, self._study, self._worker = search, study, worker
        self._keys: dict[int, str] = {}
        self._candidates = all_combinations(search)
        self._candidate: Trial | None = None
        self._is_finite = True

    def next(self) -> Trial | None:
        """A trial to be trained, whose config no other has; None where none is left, or none was drawn.

        What waits comes first. A trial that has the config of an earlier one is told that one's result; it is marked
        by the earlier one's number and does not count. The config of a trial that repeats another is not compared.
        """
        for draw in range(MAX_DRAWS + 1):
            if not self._study.get_trials(deepcopy=False, states=[TrialState.WAITING]):
                params = self.untried()
                is_last = draw >= (COUNTABLE_DRAWS if params else MAX_DRAWS)
                if params is None or (is_last and not params):
                    return None
                if is_last or self._search.sampler == "grid":
                    self._study.enqueue_trial(params)
            trial = self._study.ask()
            trial.set_user_attr(WORKER, self._worker)
            trial.set_user_attr("node", socket.gethostname())
            earlier = self._earlier(trial)
            if earlier is None:
                return trial
            self._end_duplicate(trial, earlier)
        return None

    def untried(self) -> dict[str, Any] | None:
        """The parameters of a config that no trial has: None if all were tried, none of them if there is no end."""
        tried = self.tried() if self._is_finite else {}
        while self._is_finite and (self._candidate is None or self._key(self._candidate) in tried):
            try:
                self._candidate = next(self._candidates)
            except ContinuousError:
                self._is_finite = False
            except StopIteration:
                return None
        return self._candidate.params if self._is_finite and self._candidate else {}

    def tried(self, but: int | None = None) -> dict[str, FrozenTrial]:
        """The trials by their configs, duplicates and the one of a number left out; the one whose result counts."""
        found: dict[str, FrozenTrial] = {}
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state in PRECEDENCE and DUPLICATE not in trial.user_attrs and trial.number != but:
                key = self._keys.get(trial.number) or self._key(trial)
                if trial.state.is_finished():
                    self._keys[trial.number] = key
                other = found.setdefault(key, trial)
                if PRECEDENCE.index(trial.state) < PRECEDENCE.index(other.state):
                    found[key] = trial
        return found

    def _earlier(self, trial: Trial) -> FrozenTrial | None:
        """The trial that has the same config already; this one's parameters are drawn by looking for it."""
        key = self._key(trial)
        return None if REPEATS in trial.user_attrs else self.tried(but=trial.number).get(key)

    def _key(self, trial: BaseTrial) -> str:
        """Equal for equal configs, numbers being equal to 12 digits; of the parameters where they give no config."""
        try:
            values = self._search.experiment(trial, in_full=False).config.model_dump(mode="json")
        except (UserError, ValueError):  # a value is refused, or the trial ended before it had all parameters
            values = trial.params
        return json.dumps(
            {name: float(f"{one:.12g}") if isinstance(one, float) else one for name, one in values.items()}
        )

    def _end_duplicate(self, trial: Trial, earlier: FrozenTrial) -> None:
        trial.set_user_attr(DUPLICATE, earlier.number)
        trial.set_user_attr("reason", f"same as trial {earlier.number}")
        if earlier.state is TrialState.COMPLETE:
            for name, value in earlier.constraints.items():
                trial.set_constraint(name, value)
            self._study.tell(trial, earlier.values)
            return
        is_pruned = earlier.state is TrialState.PRUNED
        for step, value in earlier.intermediate_values.items() if is_pruned else ():  # of which samplers learn
            trial.report(value, step)
        self._study.tell(trial, state=TrialState.PRUNED if is_pruned else TrialState.FAIL)
