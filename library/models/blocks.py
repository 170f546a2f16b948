"""Convolutions that lead from 75x75 images down to vectors, and transposed ones that lead back exactly.

With strides of 2 and "same" padding 75 becomes 38, 19 and 10; output paddings of 0, 1 and 0 undo that, so that nothing
is cropped or resized. What is made of these is compiled without XLA: oneDNN's convolutions are twice as fast on
processors.
"""

import keras
from keras import layers, ops

from library.data.cats import SIZE

SIZES = (38, 19, 10)  # of the images after each halving
_PADDING = (0, 1, 0)  # of each doubling


def widths(filters: str) -> tuple[int, ...]:
    """Filters at 38x38, 19x19 and 10x10 pixels, from a config's `32-64-128`."""
    return tuple(map(int, filters.split("-")))


def encoder(filters: str, outputs: int, *, residuals: int, activation: str, name: str = "encoder") -> keras.Model:
    """A network from images `[batch, 75, 75, 3]`, 0 to 1, to vectors `[batch, outputs]`."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = image
    for width in widths(filters):
        x = layers.Conv2D(width, 3, strides=2, padding="same", activation=activation)(x)
    for _ in range(residuals):
        x = _residual(x, activation)
    return keras.Model(image, layers.Dense(outputs)(layers.Flatten()(x)), name=name)


def decoder(filters: str, latent_size: int, *, residuals: int, activation: str, name: str = "decoder") -> keras.Model:
    """A network from vectors `[batch, latent_size]` to images `[batch, 75, 75, 3]`, 0 to 1."""
    *outer, inner = widths(filters)
    latent = keras.Input((latent_size,), name="latent")
    x = layers.Dense(SIZES[-1] ** 2 * inner, activation=activation)(latent)
    x = layers.Reshape((SIZES[-1], SIZES[-1], inner))(x)
    for _ in range(residuals):
        x = _residual(x, activation)
    for width, padding in zip((*reversed(outer), 3), _PADDING, strict=True):
        x = layers.Conv2DTranspose(width, 3, strides=2, padding="same", output_padding=padding)(x)
        # The last in float32 whatever the rest is in: colours have 256 levels, bfloat16 but 8 bits.
        x = layers.Activation("sigmoid", dtype="float32")(x) if width == 3 else layers.Activation(activation)(x)
    return keras.Model(latent, x, name=name)


def to_unit(images: keras.KerasTensor) -> keras.KerasTensor:
    """Pixels 0 to 255 as 0 to 1."""
    return ops.cast(images, "float32") / 255


def _residual(x: keras.KerasTensor, activation: str) -> keras.KerasTensor:
    """Two convolutions whose result is added; it begins as nothing, so that depth does not slow the start."""
    width = x.shape[-1]
    change = layers.Conv2D(width, 3, padding="same", activation=activation)(x)
    return x + layers.Conv2D(width, 3, padding="same", kernel_initializer="zeros")(change)
