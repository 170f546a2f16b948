"""Differentiable augmentation of the images that a discriminator sees: color, translation and cutout.

A discriminator memorizes a few thousand images within minutes and then gives the generator no useful gradient. If all
images, real and generated, are augmented before it sees them, it cannot memorize them, and the generator does not learn
the augmentations (Zhao et al. 2020, Differentiable Augmentation for Data-Efficient GAN Training; ranges as there).
"""

import keras
from keras import ops

MAX_SHIFT = 1 / 8  # of an image's side
CUTOUT = 1 / 2


def augment(images: keras.KerasTensor, seed: keras.random.SeedGenerator) -> keras.KerasTensor:
    """Applies all three, with other random numbers for every image `[height, width, 3]`, 0 to 1, of a batch."""
    return cutout(translate(jitter_color(images, seed), seed), seed)


def jitter_color(images: keras.KerasTensor, seed: keras.random.SeedGenerator) -> keras.KerasTensor:
    """Changes brightness by up to a quarter of the range, saturation from 0 to 2 times, contrast from 0.5 to 1.5."""
    images = images + _uniform(images, -0.25, 0.25, seed)
    grey = ops.mean(images, axis=-1, keepdims=True)
    images = grey + (images - grey) * _uniform(images, 0.0, 2.0, seed)
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * _uniform(images, 0.5, 1.5, seed)


def translate(images: keras.KerasTensor, seed: keras.random.SeedGenerator) -> keras.KerasTensor:
    """Shifts rows and columns by up to an eighth of the side, and fills with grey.

    Implemented as products with shifted identity matrices: as fast as gathering here, with gradients everywhere.
    """
    shifts = []
    for side in images.shape[1:3]:
        limit = round(side * MAX_SHIFT)
        pixels = ops.floor(_uniform(images, -limit, limit + 1, seed))[:, :, 0]  # [batch, 1, 1]
        places = ops.arange(side, dtype="float32")
        shifts.append(ops.cast(ops.equal(places[None, :, None] + pixels, places[None, None, :]), "float32"))
    return ops.einsum("nyY,nxX,nYXc->nyxc", *shifts, images - 0.5) + 0.5


def cutout(images: keras.KerasTensor, seed: keras.random.SeedGenerator) -> keras.KerasTensor:
    """Fills a square of half the side with grey; its center is anywhere in the image."""
    kept = []
    for side in images.shape[1:3]:
        center = _uniform(images, 0, side, seed)[:, :, 0, 0]  # [batch, 1]
        distance = ops.abs(ops.arange(side, dtype="float32") + 0.5 - center)
        kept.append(ops.cast(distance > side * CUTOUT / 2, "float32"))
    mask = ops.maximum(ops.expand_dims(kept[0], 2), ops.expand_dims(kept[1], 1))  # [batch, height, width]
    return (images - 0.5) * ops.expand_dims(mask, -1) + 0.5


def _uniform(images: keras.KerasTensor, low: float, high: float, seed: keras.random.SeedGenerator) -> keras.KerasTensor:
    """One number for each image, `[batch, 1, 1, 1]`."""
    return keras.random.uniform((ops.shape(images)[0], 1, 1, 1), low, high, seed=seed)
