"""Networks whose activations measure how similar images are; every score carries the name of its network.

The usual network is Inception, trained on ImageNet. Its weights must be downloaded, and scores differ between its
implementations. The default needs neither download nor training: it has random convolutions, drawn from a fixed seed.
"""

from functools import cached_property

import keras
import numpy as np
from keras import layers, ops

from library.framework.errors import UserError

RANDOM = "random-vgg16-quarter"
INCEPTION = "inception-v3"
# Filters and convolutions of each block: a quarter of the filters of VGG16 (Simonyan and Zisserman 2015, table 1, D).
BLOCKS = ((16, 2), (32, 2), (64, 3), (128, 3), (128, 3))
BATCH = 50


class FeatureExtractor:
    """The features of images in one network, which is built by the first call."""

    def __init__(self, name: str = RANDOM) -> None:
        """Takes `random-vgg16-quarter` or `inception-v3`; raises UserError for another name."""
        if name not in NETWORKS:
            raise UserError(f"feature network: got {name!r}; allowed are {', '.join(NETWORKS)}")
        self.name = name

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """The features, `[images, features]` float32, of images `[images, height, width, 3]`, RGB, 0 to 255.

        They have 32x32 pixels or more. Raises UserError if the network's weights cannot be downloaded.
        """
        return np.asarray(self._network.predict(images, batch_size=BATCH, verbose=0))

    @cached_property
    def _network(self) -> keras.Model:
        network = NETWORKS[self.name]()
        network.compile(jit_compile=False)
        return network


def random_network() -> keras.Model:
    """VGG16 with a quarter of its filters and untrained weights.

    Naeem et al. 2020 (Reliable Fidelity and Diversity Metrics) recommend random weights for images unlike ImageNet's.
    The variance of these keeps the scale of the activations (He et al. 2015, eq. 10). The features are the mean and the
    standard deviation of each filter over the image, in all five blocks: 736 in all.
    """
    random = np.random.RandomState(0)  # unlike newer generators, it never changes its stream

    # Not Keras's initializer, which would advance the caller's random state.
    def initial(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
        return np.asarray(random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1])), dtype or "float32")

    image = keras.Input((None, None, 3), name="image")
    x, pooled = layers.Rescaling(1 / 127.5, offset=-1)(image), []
    for block, (filters, depth) in enumerate(BLOCKS):
        x = layers.MaxPooling2D(2)(x) if block else x
        for _ in range(depth):
            convolution = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer=initial)
            x = ops.relu(convolution(x))
        pooled += [ops.mean(x, axis=(1, 2)), ops.std(x, axis=(1, 2))]
    return keras.Model(image, ops.concatenate(pooled, axis=-1), name=RANDOM)


def inception_network() -> keras.Model:
    """InceptionV3 trained on ImageNet, up to its 2,048 pooled activations; images are resized to 299x299.

    Scores are close, but not equal, to those of the original graph, in which FIDs are published. Raises UserError if
    its weights are not cached and cannot be downloaded.
    """
    try:
        trunk = keras.applications.InceptionV3(include_top=False, weights="imagenet", pooling="avg")
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{INCEPTION}: its weights cannot be had ({reason}); {RANDOM} needs none") from error
    image = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(layers.Resizing(299, 299, antialias=True)(image))
    return keras.Model(image, trunk(x), name=INCEPTION)


NETWORKS = {RANDOM: random_network, INCEPTION: inception_network}
