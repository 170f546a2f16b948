"""Batches for a training whose budget is counted in steps, not in passes over the data."""

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """An endless shuffle of arrays: an epoch is a fixed number of batches, whatever the size of the data.

    Examples are drawn without replacement until each was seen, then shuffled anew; a pass may end anywhere in an
    epoch, even within a batch.
    """

    def __init__(self, *arrays: np.ndarray, batch_size: int, steps: int, seed: int) -> None:
        """Arrays of equal first axis; `steps` batches of `batch_size` examples make an epoch."""
        super().__init__()
        if not len(arrays[0]):
            raise ValueError("batches: got no examples; allowed is at least one")
        self._arrays = arrays
        self._shape = (steps, batch_size)
        self._random = np.random.default_rng(seed)
        self._left = np.empty(0, dtype=np.int64)
        self._indices = self._draw()

    def __len__(self) -> int:
        return self._shape[0]

    def __getitem__(self, step: int) -> tuple[np.ndarray, ...]:
        return tuple(array[self._indices[step]] for array in self._arrays)

    def on_epoch_end(self) -> None:
        """Draws the indices of the next epoch."""
        self._indices = self._draw()

    def _draw(self) -> np.ndarray:
        steps, batch_size = self._shape
        while len(self._left) < steps * batch_size:
            self._left = np.concatenate([self._left, self._random.permutation(len(self._arrays[0]))])
        drawn, self._left = np.split(self._left, [steps * batch_size])
        return drawn.reshape(self._shape)
