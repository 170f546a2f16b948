"""Convolutions that recognise a 28x28 image of a character, and transposed ones that draw one.

Sizes are halved from 28 (14, 7, 3) and doubled up to 28 (7, 14, 28). The networks are compiled without XLA: on
processors oneDNN's convolutions are twice as fast as XLA's.
"""

import keras
from keras import layers, ops

from library.framework.training.optimizers import JIT_CONVOLUTIONS, adamw, steps_per_execution
from library.sums.config import GlyphReaderConfig
from library.sums.data.handwriting import SIZE

FEATURES = 128


def build(config: GlyphReaderConfig, characters: int) -> keras.Model:
    """A compiled classifier of images `[batch, 28, 28]`, 0 to 255, with logits `[batch, characters]`."""
    model = glyph_reader(config.filters, characters, pooling=config.pooling)
    model.compile(
        optimizer=adamw(config),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=JIT_CONVOLUTIONS,
        steps_per_execution=steps_per_execution(config),
    )
    return model


def glyph_reader(filters: int, outputs: int, *, pooling: bool = True) -> keras.Model:
    """A network from images `[batch, 28, 28]`, 0 to 255, to `[batch, outputs]`; before its last layer is `features`.

    Without pooling it has fewer layers and is a little less accurate, but its output changes smoothly with each pixel,
    which makes it a better teacher of drawing.
    """
    image = keras.Input((SIZE, SIZE), name="image")
    x = layers.Rescaling(1 / 255)(ops.expand_dims(image, -1))
    x = layers.Conv2D(filters, 5, strides=2, padding="same", activation="relu")(x)  # [14, 14, filters]
    if pooling:
        x = layers.Conv2D(2 * filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)  # [7, 7, 2 filters]
        x = layers.Conv2D(4 * filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)  # [3, 3, 4 filters]
    else:
        x = layers.Conv2D(2 * filters, 3, strides=2, padding="same", activation="relu")(x)  # [7, 7, 2 filters]
    x = layers.Dense(FEATURES, activation="relu", name="features")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(outputs)(x), name="glyph_reader")


def select_characters(reader: keras.Model, known: str, characters: str) -> keras.Model:
    """A glyph reader with logits of some of its known characters, in their order."""
    indices = tuple(map(known.index, characters))
    return keras.Model(reader.inputs[0], ops.take(reader.outputs[0], indices, axis=-1))


def glyph_decoder(filters: int, inputs: int) -> keras.Model:
    """A network from codes `[batch, inputs]` to images `[batch, 28, 28]`, 0 to 1."""
    code = keras.Input((inputs,), name="code")
    x = layers.Dense(FEATURES, activation="relu")(code)
    x = layers.Dense(7 * 7 * 2 * filters, activation="relu")(x)
    x = layers.Reshape((7, 7, 2 * filters))(x)
    x = layers.Conv2DTranspose(filters, 4, strides=2, padding="same", activation="relu")(x)  # [14, 14, filters]
    x = layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid")(x)  # [28, 28, 1]
    return keras.Model(code, ops.squeeze(x, -1), name="glyph_decoder")
