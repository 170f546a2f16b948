"""Batches in epochs of a fixed number of steps, so that the training budget does not depend on the data's size."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

Render = Callable[[tuple[np.ndarray, ...], np.random.Generator], tuple[Any, ...]]


def identity(arrays: tuple[np.ndarray, ...], _: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Returns the arrays."""
    return arrays


class Batches(keras.utils.PyDataset):
    """An endless shuffle of arrays; an epoch is a fixed number of batches.

    Examples are drawn without replacement until all are used, then shuffled anew; such a pass may end anywhere in an
    epoch, even within a batch.
    """

    def __init__(self, *arrays: np.ndarray, batch_size: int, steps: int, seed: int, render: Render = identity) -> None:
        """Shuffles the arrays for the first epoch.

        Args:
            arrays: of equal first axis.
            batch_size: examples in a batch.
            steps: batches in an epoch.
            seed: of the order, and of the generator that `render` gets.
            render: turns a batch's arrays into the network's inputs, such as images of characters, anew each time.
        """
        super().__init__()
        if not len(arrays[0]):
            raise ValueError("batches: got no examples; allowed is at least one")
        self._arrays, self._render = arrays, render
        self._seed, self._epoch = seed, 0
        self._shape = (steps, batch_size)
        self._random = np.random.default_rng(seed)
        self._left = np.empty(0, dtype=np.int64)
        self._indices = self._draw()

    def __len__(self) -> int:
        return self._shape[0]

    def __getitem__(self, step: int) -> tuple[Any, ...]:
        random = np.random.default_rng((self._seed, self._epoch, step))  # a second call returns the same
        return self._render(tuple(array[self._indices[step]] for array in self._arrays), random)

    def on_epoch_end(self) -> None:
        """Draws the indices of the next epoch."""
        self._epoch += 1
        self._indices = self._draw()

    def _draw(self) -> np.ndarray:
        steps, batch_size = self._shape
        while len(self._left) < steps * batch_size:
            self._left = np.concatenate([self._left, self._random.permutation(len(self._arrays[0]))])
        drawn, self._left = np.split(self._left, [steps * batch_size])
        return drawn.reshape(self._shape)
