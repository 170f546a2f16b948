"""Networks whose activations say how alike images are, each with a name that its scores carry.

The usual one is the Inception network, trained on ImageNet. Its weights must be downloaded, and a score in them differs
from one implementation to the next. The default needs no download and no training: random convolutions, from a seed.
"""

from functools import cache

import keras
import numpy as np
from keras import layers, ops

from library.framework.errors import UserError

RANDOM = "random-vgg16-quarter"
INCEPTION = "inception-v3"
NETWORKS = (RANDOM, INCEPTION)
# Filters and convolutions of each block: a quarter of the filters of VGG16 (Simonyan and Zisserman 2015, table 1, D).
BLOCKS = ((16, 2), (32, 2), (64, 3), (128, 3), (128, 3))
BATCH = 50


def features(images: np.ndarray, network: str = RANDOM) -> np.ndarray:
    """What a network makes of images: `[images, features]`, float32.

    Args:
        images: `[images, height, width, 3]`, RGB, 0 to 255, of at least 32x32 pixels.
        network: one of `NETWORKS`.

    Raises:
        UserError: there is no such network, or its weights cannot be had.
    """
    return np.asarray(_network(network).predict(images, batch_size=BATCH, verbose=0))


@cache
def _network(name: str) -> keras.Model:
    makers = {RANDOM: random_network, INCEPTION: inception_network}
    if name not in makers:
        raise UserError(f"feature network: got {name!r}; allowed are {', '.join(NETWORKS)}")
    network = makers[name]()
    network.compile(jit_compile=False)
    return network


def random_network() -> keras.Model:
    """VGG16 with a quarter of its filters, and weights as they are drawn.

    Naeem et al. 2020 (Reliable Fidelity and Diversity Metrics) recommend random weights for images unlike
    ImageNet's. These have the variance that neither shrinks nor grows the activations (He et al. 2015, eq. 10). The
    features are the mean and the standard deviation of each filter over the image, in all five blocks: 736 in all.
    """
    draw = np.random.RandomState(0)  # unlike newer generators, it never changes its stream

    # In the place of Keras's own, which would move on the random numbers of whoever calls.
    def drawn(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
        weights: np.ndarray = draw.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))
        return weights.astype(dtype or "float32")

    image = keras.Input((None, None, 3), name="image")
    x, pooled = layers.Rescaling(1 / 127.5, offset=-1)(image), []
    for block, (filters, depth) in enumerate(BLOCKS):
        x = layers.MaxPooling2D(2)(x) if block else x
        for _ in range(depth):
            convolution = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer=drawn)
            x = ops.relu(convolution(x))
        pooled += [ops.mean(x, axis=(1, 2)), ops.std(x, axis=(1, 2))]
    return keras.Model(image, ops.concatenate(pooled, axis=-1), name=RANDOM)


def inception_network() -> keras.Model:
    """InceptionV3 as trained on ImageNet, to its 2,048 pooled activations; images are resized to 299x299.

    Its figures are near, but not equal, to those of the original graph that published FIDs are from.

    Raises:
        UserError: its weights are not here and cannot be downloaded.
    """
    try:
        trunk = keras.applications.InceptionV3(include_top=False, weights="imagenet", pooling="avg")
    except Exception as error:
        why = " ".join(str(error).split())
        raise UserError(f"{INCEPTION}: its weights cannot be had ({why}); {RANDOM} needs none") from error
    image = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(layers.Resizing(299, 299, antialias=True)(image))
    return keras.Model(image, trunk(x), name=INCEPTION)
