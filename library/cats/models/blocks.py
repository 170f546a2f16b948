"""Convolutions from 75x75 images down to vectors, and transposed convolutions that invert the sizes exactly.

Strides of 2 with "same" padding turn 75 into 38, 19, 10 and, with four of them, 5; doubling and cropping a row and a
column where a side is odd undoes that. Models of these are compiled without XLA: oneDNN's convolutions are twice as
fast.
"""

import keras
from keras import layers, ops

from library.cats.data.dataset import SIZE


def widths(filters: str) -> tuple[int, ...]:
    """The filters at 38x38, 19x19, 10x10 and maybe 5x5 pixels, from a config's `32-64-128`."""
    return tuple(map(int, filters.split("-")))


def encoder(
    filters: str, outputs: int, *, residuals: int, activation: str, hidden: int = 0, name: str = "encoder"
) -> keras.Model:
    """A network from images `[batch, 75, 75, 3]`, 0 to 1, to vectors `[batch, outputs]`.

    The downsampling convolutions have `filters`, as in `32-64-128`, each followed by the activation; then come residual
    blocks, and a layer of `hidden` units if there are any.
    """
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = image
    for width in widths(filters):
        x = layers.Conv2D(width, 3, strides=2, padding="same", activation=activation)(x)
    for _ in range(residuals):
        x = _residual(x, activation)
    x = layers.Flatten()(x)
    if hidden:
        x = layers.Dense(hidden, activation=activation)(x)
    return keras.Model(image, layers.Dense(outputs)(x), name=name)


def decoder(
    filters: str, latent_size: int, *, residuals: int, activation: str, upsampling: str, name: str = "decoder"
) -> keras.Model:
    """The reverse: a network from vectors `[batch, latent_size]` to images, with the arguments of the encoder.

    It doubles the sides by transposed convolutions (`transposed`), or interpolates and convolves (`bilinear`).
    """
    *outer, inner = widths(filters)
    sizes = [SIZE]
    for _ in (*outer, inner):
        sizes.append(-(-sizes[-1] // 2))
    latent = keras.Input((latent_size,), name="latent")
    x = layers.Dense(sizes[-1] ** 2 * inner, activation=activation)(latent)
    x = layers.Reshape((sizes[-1], sizes[-1], inner))(x)
    for _ in range(residuals):
        x = _residual(x, activation)
    for width, size in zip((*reversed(outer), 3), reversed(sizes[:-1]), strict=True):
        if upsampling == "bilinear":
            x = layers.Conv2D(width, 3, padding="same")(layers.UpSampling2D(2, interpolation="bilinear")(x))
        else:
            # A kernel that is no multiple of the stride reaches pixels unequally often, which shows as checkerboards
            # (Odena et al. 2016, Deconvolution and Checkerboard Artifacts).
            x = layers.Conv2DTranspose(width, 4, strides=2, padding="same")(x)
        x = layers.Cropping2D(((0, 1), (0, 1)))(x) if size % 2 else x
        # The last in float32 under any dtype policy: a color has 256 levels, and bfloat16 only 8 bits.
        last = size == SIZE
        x = layers.Activation("sigmoid" if last else activation, dtype="float32" if last else None)(x)
    return keras.Model(latent, x, name=name)


def to_unit(images: keras.KerasTensor) -> keras.KerasTensor:
    """Scales pixels from 0 to 255 to 0 to 1."""
    return ops.cast(images, "float32") / 255


def _residual(x: keras.KerasTensor, activation: str) -> keras.KerasTensor:
    """Adds two convolutions; the second starts at zero, so that depth does not slow the start of training."""
    width = x.shape[-1]
    change = layers.Conv2D(width, 3, padding="same", activation=activation)(x)
    return x + layers.Conv2D(width, 3, padding="same", kernel_initializer="zeros")(change)
