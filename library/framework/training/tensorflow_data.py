"""What Keras trains on as a `tf.data.Dataset` with autotuning off, where its backend is TensorFlow.

Keras leaves autotuning on, which finds nothing to tune here. But an iterator waits for its thread at the end, and that
thread may miss being told (TensorFlow 2.21: `CancellationManager` calls it before it counts as cancelled). It then
sleeps for about as long as the iterator has lived: one training in four stood still for 8 s after its first epoch.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class EpochEnd(keras.callbacks.Callback):
    """Tells batches that an epoch has ended when Keras tells those that it reads itself: once before the first, too."""

    def __init__(self, batches: keras.utils.PyDataset) -> None:
        super().__init__()
        self._batches = batches

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        self._batches.on_epoch_end()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self._batches.on_epoch_end()


def untuned(
    model: keras.Model, train: Any, validation: Any, validation_batch_size: int
) -> tuple[Any, Any, list[keras.callbacks.Callback]]:
    """Data sets for `fit` in place of a `PyDataset` without workers and of validation arrays, and callbacks for them.

    Other kinds of data are returned as they are, and so are arrays for a model with its own `evaluate`.
    """
    callbacks = list[keras.callbacks.Callback]()
    if isinstance(train, keras.utils.PyDataset) and train.workers == 1:
        callbacks.append(EpochEnd(train))
        train = _dataset_of_batches(train)
    is_evaluated_by_keras = type(model).evaluate is keras.Model.evaluate
    if is_evaluated_by_keras and all(isinstance(one, np.ndarray) for one in keras.tree.flatten(validation)):
        validation = _untuned(tf.data.Dataset.from_tensor_slices(_arrays(validation)).batch(validation_batch_size))
    return train, validation, callbacks


def _dataset_of_batches(batches: keras.utils.PyDataset) -> tf.data.Dataset:
    def epoch() -> Iterator[Any]:
        yield from (_arrays(batches[step]) for step in range(len(batches)))

    signature = keras.tree.map_structure(
        lambda one: tf.TensorSpec((None, *one.shape[1:]), one.dtype), _arrays(batches[0])
    )
    made = tf.data.Dataset.from_generator(epoch, output_signature=signature)
    return _untuned(made.apply(tf.data.experimental.assert_cardinality(len(batches))))


def _arrays(nested: Any) -> Any:
    """Arrays, with real numbers of the precision that Keras computes in; tuples for lists, which would be tensors."""

    def array(one: Any) -> np.ndarray:
        own = np.asarray(one)
        return own.astype(keras.config.floatx(), copy=False) if np.issubdtype(own.dtype, np.floating) else own

    return keras.tree.map_structure(array, keras.tree.lists_to_tuples(nested))


def _untuned(data: tf.data.Dataset) -> tf.data.Dataset:
    """The data set, each element of which is made while the one before is used."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.prefetch(2).with_options(options)
