"""The callback that keeps a training's state in a checkpoint, and begins a training where its checkpoint ends.

Everything that the next epoch depends on is kept, so that a training which was killed ends like one that was not.
"""

import json
import math
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from keras.src.backend.common.global_state import get_global_attribute
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR, global_seed_generator

from ..run import Run
from . import checkpoints
from .callbacks import BestEpoch, EpochCallback

SECONDS, BYTES_PER_SECOND = 0.005, 2e8
"""What a checkpoint is taken to cost before one was written: so long, and so fast."""
SET_BY_KERAS = {"params", "min_delta"}
"""Attributes of callbacks that are no state: the second gets its sign in the first epoch, in each process anew."""


class CountedEpochs:
    """Counts how often a data set was told that an epoch has ended: its next batches depend on that alone."""

    def __init__(self, data: keras.utils.PyDataset) -> None:
        self.count, self.data, self._end = 0, data, data.on_epoch_end
        data.on_epoch_end = self.end

    def end(self) -> None:
        """Ends an epoch of the data set."""
        self.count += 1
        self._end()

    def release(self) -> None:
        """Leaves the data set as it was."""
        del self.data.on_epoch_end


class Checkpoint(keras.callbacks.Callback):
    """Writes a checkpoint after an epoch, as often as its cost allows, and goes on from the one that is there.

    To come last, after all callbacks whose state is kept: their attributes that are numbers, texts or lists of arrays.
    """

    def __init__(
        self, kept: checkpoints.Checkpoints, best: BestEpoch, others: Sequence[Any], data: Sequence[Any], run: Run
    ) -> None:
        super().__init__()
        self._kept, self._best, self._run = kept, best, run
        counts: Counter[str] = Counter()
        self._callbacks = {}
        for callback in (best, *others):
            kind = type(callback).__name__
            counts[kind] += 1
            self._callbacks[f"{kind} {counts[kind]}"] = callback
        self._data = [CountedEpochs(one) for one in data if isinstance(one, keras.utils.PyDataset)]

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        variables = self.model.variables
        self._path = self._kept.path(json.dumps([[*variable.shape, variable.dtype] for variable in variables]))
        is_there = self._path.exists()
        if is_there and self._restore(*checkpoints.read(self._path)):
            done = len(self._best.history)
            self._run.set_tags({"resumed": f"after epoch {done}"})
            self._say(f"goes on after epoch {done} of {self.params['epochs']}")
        elif (is_there or self._kept.has_others()) and self._run.forget_steps():
            self._say("begins anew: its checkpoint is of another network")
        size = 16 * sum(math.prod(variable.shape) for variable in variables)  # with two moments and the best epoch's
        self._cost, self._written, self._is_on = SECONDS + size / BYTES_PER_SECOND, time.perf_counter(), True

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        begun = time.perf_counter()
        if not self._is_on or begun - self._written < self._cost / checkpoints.SHARE:
            return
        try:
            checkpoints.write(self._path, *self._state())
        except (OSError, KeyError) as error:
            foreign = "an optimizer has variables that are not the model's"
            reason = foreign if isinstance(error, KeyError) else error.strerror or error
            self._is_on = False
            self._say(f"writes no further checkpoint: {reason}; it goes on without")
        self._written = time.perf_counter()
        self._cost = self._written - begun

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        self.model._initial_epoch = None
        for data in self._data:
            data.release()

    def _say(self, what: str) -> None:
        if multiprocessing.parent_process() is None:  # else it is a worker of a study, whose driver shows the trials
            print(f"training: {what}", flush=True)

    def _state(self) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Everything that the next epoch depends on: what JSON can hold, and arrays."""
        known = {id(variable): place for place, variable in enumerate(self.model.variables)}
        seeds = get_global_attribute(GLOBAL_SEED_GENERATOR) is not None
        arrays = [keras.ops.convert_to_numpy(variable) for variable in self._variables(seeds)]
        lists = [
            (which, name, value)
            for which, callback in self._callbacks.items()
            for name, value in vars(callback).items()
            if isinstance(value, list) and value and all(isinstance(one, np.ndarray) for one in value)
        ]
        state = {
            "optimizers": {
                name: [known[id(variable)] for variable in optimizer._trainable_variables]
                for name, optimizer in self._optimizers().items()
            },
            "variables": len(known),
            "seeds": seeds,
            "callbacks": {which: _plain_attributes(callback) for which, callback in self._callbacks.items()},
            "lists": [(which, name, len(value)) for which, name, value in lists],
            "data": [data.count for data in self._data],
            "python": random.getstate(),
            "numpy": [part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],
            "seconds": time.perf_counter() - self._best.start,
            "stopped": bool(self.model.stop_training),
        }
        return state, [*arrays, *(one for *_, value in lists for one in value)]

    def _restore(self, state: Mapping[str, Any], arrays: list[np.ndarray]) -> bool:
        """Makes everything as it was; False, with no variable changed, if these have other shapes."""
        if len(self.model.variables) < state["variables"]:  # they are made where the model is first called
            self.model(self._data[0].data[0][0])
        variables = self.model.variables
        if len(variables) != state["variables"] or not state["optimizers"].keys() <= vars(self.model).keys():
            return False
        for name, places in state["optimizers"].items():  # these may be built by their first step only
            if not vars(self.model)[name].built:
                vars(self.model)[name].build([variables[place] for place in places])
        if state["seeds"]:
            global_seed_generator()
        variables = self._variables(state["seeds"])
        own, rest = arrays[: len(variables)], iter(arrays[len(variables) :])
        if [tuple(variable.shape) for variable in variables] != [array.shape for array in own]:
            return False
        for variable, array in zip(variables, own, strict=True):
            variable.assign(array)
        for which, attributes in state["callbacks"].items():  # one that was not there at first begins now
            vars(self._callbacks.get(which, SimpleNamespace())).update(attributes)
        for which, name, length in state["lists"]:
            vars(self._callbacks.get(which, SimpleNamespace()))[name] = [next(rest) for _ in range(length)]
        for data, count in zip(self._data, state["data"], strict=True):
            while data.count < count:
                data.end()
        version, numbers, gauss = state["python"]
        random.setstate((version, tuple(numbers), gauss))
        np.random.set_state(tuple(state["numpy"]))
        self._best.start = time.perf_counter() - state["seconds"]
        self._kept.seconds += state["seconds"]
        self.model._initial_epoch = self.params["epochs"] if state["stopped"] else len(self._best.history)
        for epoch, metrics in enumerate(self._best.history, start=1):
            self._run.log_metrics(metrics, step=epoch)
            for callback in self._callbacks.values():
                if isinstance(callback, EpochCallback):
                    callback.on_earlier_epoch(epoch, metrics)
        return True

    def _optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """The optimizers that are built, by the model's attribute: with a train step of its own it may have several."""
        kind = keras.optimizers.Optimizer
        return {name: one for name, one in vars(self.model).items() if isinstance(one, kind) and one.built}

    def _variables(self, seeds: bool) -> list[keras.Variable]:
        """Weights, seeds and the optimizers' variables, and the seed that Keras uses where none is given."""
        of_optimizers = [variable for optimizer in self._optimizers().values() for variable in optimizer.variables]
        return [*self.model.variables, *of_optimizers, *([global_seed_generator().state] if seeds else [])]


def _plain_attributes(callback: Any) -> dict[str, Any]:
    """A callback's attributes that are the same when they are read from JSON."""
    plain = {}
    for name in vars(callback).keys() - SET_BY_KERAS:
        value = vars(callback)[name]
        number = value.item() if isinstance(value, np.generic) else value
        with suppress(TypeError, ValueError):
            if json.loads(json.dumps(number)) == number:
                plain[name] = number
    return plain
