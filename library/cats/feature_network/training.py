"""How the feature network is trained: to see what a drawn cat is like, and how an image was degraded.

Nothing but this package and scikit-learn's two photographs is needed, so that anyone can make the same weights again.
"""

from typing import Any

import cv2
import keras
import numpy as np
from keras import layers, ops

from library.cats.data.synthetic import FACTORS, PATTERNS, SIZE, draw, sample_factors
from library.cats.feature_network import network
from library.cats.feature_network.degradations import DEGRADATIONS
from library.framework.training.optimizers import JIT_CONVOLUTIONS

SEED = 20_000  # of drawn cats too, which are others than those that experiments train on
CATS, CROPS = 10_000, 4000
BATCH, STEPS = 48, 3000
STRENGTH_WEIGHT, COLOR_WEIGHT = 3.0, 0.15


class TrainingImages(keras.utils.PyDataset):
    """Batches of degraded images, and of what the network must say about each.

    A batch's images are `[48, 75, 75, 3]` uint8. Its targets, `[48, 2 * outputs]`, are the values of all outputs, then
    their weights in the loss. Outputs are the strengths of the degradations, the factors of a drawn cat, and the colors
    of 5x5 cells before the degradation, which make the features describe any image.
    """

    def __init__(self, cats: int = CATS, crops: int = CROPS, steps: int = STEPS) -> None:
        super().__init__()
        factors = sample_factors(cats, SEED)
        self.images = np.concatenate([draw(factors), photo_crops(crops)])
        self._steps = steps
        names = [name for name in FACTORS if name not in ("grain", "pattern")]  # which have no order
        ordered = np.stack([(2 * factors[name] - FACTORS[name].low - FACTORS[name].high) for name in names], axis=1)
        ordered /= [(FACTORS[name].high - FACTORS[name].low) / 1.75 for name in names]  # about unit variance
        known = np.concatenate([ordered, 2 * np.eye(len(PATTERNS))[factors["pattern"]]], axis=1)
        cells = np.stack([cv2.resize(image, (5, 5), interpolation=cv2.INTER_AREA) for image in self.images])
        colors = (cells.reshape(len(cells), -1) - cells.mean()) / cells.std()
        self.targets = np.concatenate([np.pad(known, ((0, crops), (0, 0))), colors], axis=1)
        self.weights = np.full_like(self.targets, COLOR_WEIGHT)
        self.weights[:, : known.shape[1]] = (np.arange(cats + crops) < cats)[:, np.newaxis]

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng((SEED, step))
        rows = random.integers(len(self.images), size=BATCH)
        images, strengths = self.images[rows], np.zeros((BATCH, len(DEGRADATIONS)))
        for image, strength in zip(images, strengths, strict=True):
            chosen = random.random(len(DEGRADATIONS)) < 1 / len(DEGRADATIONS)  # one on average, often none
            strength[chosen] = random.random(chosen.sum())
            for degradation, one in zip(DEGRADATIONS.values(), strength, strict=True):
                image[:] = degradation(image, one, random) if one else image
        values = np.concatenate([3 * strengths, self.targets[rows]], axis=1)
        weights = np.concatenate([np.full_like(strengths, STRENGTH_WEIGHT), self.weights[rows]], axis=1)
        return images, np.concatenate([values, weights], axis=1).astype(np.float32)


def photo_crops(count: int) -> np.ndarray:
    """Squares `[count, 75, 75, 3]` uint8 at random from scikit-learn's photographs: textures that no drawing has."""
    from sklearn.datasets import load_sample_images

    random, photos, crops = np.random.default_rng(SEED), load_sample_images().images, []
    for _ in range(count):
        photo, side = photos[random.integers(len(photos))], int(random.uniform(SIZE, 320))
        top, left = (random.integers(length - side + 1) for length in photo.shape[:2])
        crop = cv2.resize(photo[top : top + side, left : left + side], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        crops.append(crop[:, :: random.choice([-1, 1])])
    return np.stack(crops)


def weighted_error(targets: Any, outputs: Any) -> Any:
    """The mean squared error of outputs, weighted as `TrainingImages` says."""
    values, weights = ops.split(targets, 2, axis=-1)
    return ops.mean(weights * ops.square(values - outputs), axis=-1)


def train(images: TrainingImages) -> keras.Model:
    """The trained feature network; equal on equal versions and hardware. It takes minutes."""
    keras.utils.set_random_seed(SEED)
    model = network.untrained()
    outputs = layers.Dense(images[0][1].shape[1] // 2)(model.output)
    warmup = len(images) // 20
    rate = keras.optimizers.schedules.CosineDecay(1e-5, len(images) - warmup, warmup_target=2e-3, warmup_steps=warmup)
    learner = keras.Model(model.input, outputs)
    learner.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.01, clipnorm=1.0), loss=weighted_error, jit_compile=JIT_CONVOLUTIONS
    )
    learner.fit(images, shuffle=False, verbose=2)
    return model
