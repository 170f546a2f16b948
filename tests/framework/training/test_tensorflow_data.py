"""Data sets without autotuning: the same batches, in the same epochs, as Keras reads."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from library import Batches, EpochCallback, Trainer
from library.framework.training.tensorflow_data import untuned

X = np.arange(40.0).reshape(20, 2)
Y = X.sum(axis=1, keepdims=True) / 50


def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    built = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    built.compile(keras.optimizers.SGD(1e-4), "mse")
    return built


def batches() -> Batches:
    return Batches(X, Y, batch_size=4, steps=3, seed=0)


@pytest.mark.parametrize("validation", [(X, Y), [X, Y]], ids=["tuple", "list"])
def test_a_training_is_equal_to_one_whose_batches_keras_reads(validation: object) -> None:
    losses = list[float]()
    ours, theirs = model(), model()
    note = EpochCallback(lambda _, metrics: losses.append(metrics["val/loss"]))
    Trainer(epochs=4).fit(ours, batches(), validation, callbacks=[note])
    history = theirs.fit(batches(), validation_data=validation, epochs=4, verbose=0, shuffle=False).history
    assert losses == history["val_loss"]
    assert len(set(losses)) == 4
    for own, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


def test_data_sets_have_the_batches_their_number_and_no_autotuning() -> None:
    given = batches()
    train, validation, [end] = untuned(model(), given, (X, Y), 8)
    for data, count in ((train, 3), (validation, 3)):
        assert (data.options().autotune.enabled, int(data.cardinality())) == (False, count)
        assert [one.dtype for one in data.element_spec] == [tf.float32, tf.float32]
    for step, (x, y) in enumerate(train):
        np.testing.assert_array_equal(x, given[step][0])
        np.testing.assert_allclose(y, given[step][1], rtol=1e-6)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in validation]), X)
    before = given[0][0]
    end.on_epoch_end(0)
    assert not np.array_equal(given[0][0], before)
    np.testing.assert_array_equal(next(iter(train))[0], given[0][0])


def test_other_kinds_of_data_are_left_to_keras() -> None:
    class Own(keras.Sequential):
        def evaluate(self, *given: object, **options: object) -> object:
            return super().evaluate(*given, **options)

    ready = tf.data.Dataset.from_tensors((X, Y))
    assert untuned(model(), ready, ready, 8) == (ready, ready, [])
    assert untuned(model(), ready, None, 8) == (ready, None, [])
    arrays = (X, Y)
    assert untuned(Own([keras.Input((2,)), keras.layers.Dense(1)]), ready, arrays, 8)[1] is arrays
