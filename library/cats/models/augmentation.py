"""Changes of images that a discriminator sees, through which gradients reach the generator.

A discriminator learns a few thousand images by heart within minutes, and then teaches nothing. Where all images, real
and drawn, are changed at random before it sees them, it cannot, and the generator does not learn the changes (Zhao et
al. 2020, Differentiable Augmentation for Data-Efficient GAN Training; ranges as there).
"""

import keras
from keras import ops

_SHIFT = 1 / 8  # of an image's side
_COVERED = 1 / 2


def augment(images: keras.KerasTensor, seed: keras.random.SeedGenerator) -> keras.KerasTensor:
    """Images `[batch, height, width, 3]`, 0 to 1, each of other colours, at another place, and with a part covered.

    Args:
        images: real or drawn.
        seed: draws the changes.
    """
    return _covered(_shifted(_recoloured(images, seed), seed), seed)


def _uniform(images: keras.KerasTensor, low: float, high: float, seed: keras.random.SeedGenerator) -> keras.KerasTensor:
    return keras.random.uniform((ops.shape(images)[0], 1, 1, 1), low, high, seed=seed)


def _recoloured(images: keras.KerasTensor, seed: keras.random.SeedGenerator) -> keras.KerasTensor:
    """Brightness by up to a quarter of the range, saturation from 0 to 2, contrast from 0.5 to 1.5."""
    images = images + _uniform(images, -0.25, 0.25, seed)
    grey = ops.mean(images, axis=-1, keepdims=True)
    images = grey + (images - grey) * _uniform(images, 0.0, 2.0, seed)
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * _uniform(images, 0.5, 1.5, seed)


def _shifted(images: keras.KerasTensor, seed: keras.random.SeedGenerator) -> keras.KerasTensor:
    """Rows and columns by up to an eighth of the side; what comes in from outside is grey.

    As products with shifted identity matrices: they are as fast as gathering here, and have gradients everywhere.
    """
    height, width = images.shape[1:3]
    down, right = (_shift(images, side, seed) for side in (height, width))
    return ops.einsum("nyY,nxX,nYXc->nyxc", down, right, images - 0.5) + 0.5


def _shift(images: keras.KerasTensor, side: int, seed: keras.random.SeedGenerator) -> keras.KerasTensor:
    most = round(side * _SHIFT)
    by = ops.floor(_uniform(images, -most, most + 1, seed))[:, :, 0]  # [batch, 1, 1]
    places = ops.arange(side, dtype="float32")
    return ops.cast(ops.equal(places[None, :, None] + by, places[None, None, :]), "float32")


def _covered(images: keras.KerasTensor, seed: keras.random.SeedGenerator) -> keras.KerasTensor:
    """A square of half the side, anywhere, even partly outside, becomes grey."""
    rows, columns = (_outside(images, side, seed) for side in images.shape[1:3])
    kept = ops.maximum(ops.expand_dims(rows, 2), ops.expand_dims(columns, 1))  # [batch, height, width]
    return (images - 0.5) * ops.expand_dims(kept, -1) + 0.5


def _outside(images: keras.KerasTensor, side: int, seed: keras.random.SeedGenerator) -> keras.KerasTensor:
    centre = _uniform(images, 0, side, seed)[:, :, 0, 0]  # [batch, 1]
    distance = ops.abs(ops.arange(side, dtype="float32") + 0.5 - centre)
    return ops.cast(distance > side * _COVERED / 2, "float32")
