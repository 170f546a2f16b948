"""The feature network: its layers and its weights, which are kept beside this file.

Scores of samples need features that show what a person sees. This network has been trained on drawn cats and on
degraded images, is small enough to be shipped, and needs no download.
"""

import hashlib
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from library.framework.errors import UserError

NAME = "drawn-cats-v1"
FILTERS = (24, 48, 80, 112)
FEATURES = 64
WEIGHTS = Path(__file__).with_name("weights.npz")
SHA256 = "b1bf9c826b8a7d611c4b19d69a5a5737c8a9b056c987e7fb9cde3f2e34eb7307"


def untrained() -> keras.Model:
    """The network, from images `[n, height, width, 3]`, 0 to 255, to features `[n, 64]`, -1 to 1.

    Four convolutions of stride 2. Each filter's mean and standard deviation over the image describe textures, the
    means of the last ones in 4x4 cells describe shapes. Bounded features keep one kind of artifact from outweighing
    all others.
    """
    image = keras.Input((None, None, 3), name="image")
    x, pooled = layers.Rescaling(1 / 127.5, offset=-1)(image), []
    for place, filters in enumerate(FILTERS):
        x = layers.Conv2D(filters, 3 if place else 5, strides=2, padding="same", kernel_initializer="he_normal")(x)
        x = ops.silu(x)
        pooled += [ops.mean(x, axis=(1, 2)), ops.std(x, axis=(1, 2))]
    cells = ops.image.resize(layers.Conv2D(24, 1)(x), (4, 4), antialias=True)
    described = ops.concatenate([layers.Flatten()(cells), *pooled], axis=-1)
    return keras.Model(image, layers.Dense(FEATURES, activation="tanh")(described), name=NAME)


def trained(path: Path = WEIGHTS) -> keras.Model:
    """The network with its weights; UserError if the file of weights was changed."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise UserError(f"{NAME}: got other weights in {str(path)!r} than were shipped; install this package again")
    model = untrained()
    with np.load(path, allow_pickle=False) as arrays:
        model.set_weights([arrays[name].astype(np.float32) for name in sorted(arrays)])
    return model


def save(model: keras.Model, path: Path) -> str:
    """Writes the weights in half precision and returns the file's SHA-256; equal weights give equal files."""
    arrays = {f"{place:02}": values.astype(np.float16) for place, values in enumerate(model.get_weights())}
    np.savez(path, allow_pickle=False, **arrays)
    return hashlib.sha256(path.read_bytes()).hexdigest()
