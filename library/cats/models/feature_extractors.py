"""Networks whose activations measure how similar images are; every score carries the name of its network.

The usual network is Inception, trained on ImageNet. Its weights must be downloaded, and scores differ between its
implementations. The default is a small network that this package brings along, trained on drawn cats.
"""

from functools import cached_property

import keras
import numpy as np
from keras import layers

from library.cats.feature_network import network
from library.framework.errors import UserError
from library.framework.training.optimizers import JIT_CONVOLUTIONS

DEFAULT = network.NAME
INCEPTION = "inception-v3"
BATCH = 50


class FeatureExtractor:
    """The features of images in one network, which is built by the first call."""

    def __init__(self, name: str = DEFAULT) -> None:
        """Takes `drawn-cats-v1` or `inception-v3`; raises UserError for another name."""
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
        network.compile(jit_compile=JIT_CONVOLUTIONS)
        return network


def inception_network() -> keras.Model:
    """InceptionV3 trained on ImageNet, up to its 2,048 pooled activations; images are resized to 299x299.

    Scores are close, but not equal, to those of the original graph, in which FIDs are published. Raises UserError if
    its weights are not cached and cannot be downloaded.
    """
    try:
        trunk = keras.applications.InceptionV3(include_top=False, weights="imagenet", pooling="avg")
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{INCEPTION}: its weights cannot be had ({reason}); {DEFAULT} needs none") from error
    image = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(layers.Resizing(299, 299, antialias=True)(image))
    return keras.Model(image, trunk(x), name=INCEPTION)


NETWORKS = {DEFAULT: network.trained, INCEPTION: inception_network}
