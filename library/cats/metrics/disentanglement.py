"""Disentanglement: whether each latent dimension encodes one of the factors that images were rendered from.

DCI measures how well simple models predict the factors, and from how many dimensions each; MIG measures, without a
model, how much more information about a factor its best dimension has than its second best.
"""

from collections.abc import Mapping

import numpy as np

BINS = 20  # of codes and continuous factors, for the mutual information (Locatello et al. 2019, appendix C)
TREES = 10  # of each forest: more change only the time, about 10 s for 2,000 codes of 64 dimensions and 13 factors


def evaluate(codes: np.ndarray, test_codes: np.ndarray, factors: Mapping[str, np.ndarray]) -> dict[str, float]:
    """DCI and MIG, named as in `test/mig`, of codes of the first images, test codes of the last, and factors of all."""
    known = {name: values[: len(codes)] for name, values in factors.items()}
    scores = dci(codes, known, test_codes, {name: values[-len(test_codes) :] for name, values in factors.items()})
    if codes.shape[1] > 1:  # MIG compares two dimensions
        scores["mig"] = mig(codes, known)
    return {f"test/{name}": value for name, value in scores.items()}


def dci(
    codes: np.ndarray, factors: Mapping[str, np.ndarray], test_codes: np.ndarray, test_factors: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Disentanglement, completeness, informativeness, each 0 to 1 (Eastwood and Williams 2018, section 2).

    A random forest predicts each factor from the codes; its feature importances are those of the dimensions.
    `dci_disentanglement`: each dimension is important for one factor; `dci_completeness`: each factor has one important
    dimension; both weighted as in the paper, completeness evenly. `dci_informativeness`: how well the factors of unseen
    codes are predicted, the mean of R^2, or for categories of the accuracy rescaled from the most frequent category's
    share to 1; negative values count as 0. (The paper reports an error instead.)

    Takes codes `[images, dimensions]` and factors, `[images]` by name, for training and of test images. Integers and
    booleans are categories, others are continuous; ValueError if one does not vary.
    """
    importances, scores = np.zeros((codes.shape[1], len(factors))), np.zeros(len(factors))
    for i, (name, values) in enumerate(factors.items()):
        importances[:, i], scores[i] = _predicted(name, codes, values, test_codes, test_factors[name])
    weights = importances.sum(axis=1)
    disentangled = 1 - _entropy(importances, axis=1) / np.log(max(2, len(factors)))
    complete = 1 - _entropy(importances, axis=0) / np.log(max(2, len(importances)))
    return {
        "dci_disentanglement": float((disentangled * weights).sum() / max(weights.sum(), 1e-12)),
        "dci_completeness": float(complete.mean()),
        "dci_informativeness": float(scores.mean()),
    }


def mig(codes: np.ndarray, factors: Mapping[str, np.ndarray]) -> float:
    """The mutual information gap, 0 to 1 (Chen et al. 2018, eq. 6), the mean over the factors.

    For each factor: the information that the best dimension has about it, minus that of the second best, over the
    factor's entropy. Codes, of two dimensions or more, and continuous factors are cut into 20 bins of equal width.
    Takes and raises as `dci`.
    """
    binned = [_bins(dimension) for dimension in codes.T]
    gaps = []
    for name, values in factors.items():
        truth = _bins(values) if _is_continuous(name, values) else np.unique(values, return_inverse=True)[1]
        second, best = np.sort([_mutual_information(dimension, truth) for dimension in binned])[-2:]
        gaps.append((best - second) / _mutual_information(truth, truth))
    return float(np.mean(gaps))


def _predicted(
    name: str, codes: np.ndarray, values: np.ndarray, test_codes: np.ndarray, test_values: np.ndarray
) -> tuple[np.ndarray, float]:
    """The importance of each dimension to a forest that predicts a factor, `[dimensions]`, and its score, 0 to 1."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    continuous = _is_continuous(name, values)
    kind = RandomForestRegressor if continuous else RandomForestClassifier
    # All dimensions at each split: a tree that may not use the right one uses others and reports them as important.
    forest = kind(TREES, max_features=1.0, min_samples_leaf=5, random_state=0)
    forest.fit(codes, values)
    score = float(forest.score(test_codes, test_values))
    if not continuous:
        most_frequent = np.unique(test_values, return_counts=True)[1].max() / len(test_values)
        score = (score - most_frequent) / max(1 - most_frequent, 1e-12)
    return forest.feature_importances_, max(0.0, score)


def _entropy(weights: np.ndarray, axis: int) -> np.ndarray:
    """The entropy along an axis, in nats, of weights normalized along it."""
    shares = weights / np.maximum(weights.sum(axis=axis, keepdims=True), 1e-12)
    logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(-(shares * logarithms).sum(axis=axis))


def _mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """Between two arrays of category numbers, in nats; of an array with itself it is the entropy."""
    counts = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(counts, (a, b), 1)
    joint = counts.ravel()[np.newaxis]
    apart = _entropy(counts.sum(axis=1)[np.newaxis], axis=1) + _entropy(counts.sum(axis=0)[np.newaxis], axis=1)
    return float((apart - _entropy(joint, axis=1))[0])


def _bins(values: np.ndarray) -> np.ndarray:
    return np.digitize(values, np.linspace(values.min(), values.max(), BINS + 1)[1:-1])


def _is_continuous(name: str, values: np.ndarray) -> bool:
    if len(np.unique(values)) < 2:
        raise ValueError(f"factor {name}: got {values[:1].tolist()} throughout; allowed are values that vary")
    return np.issubdtype(values.dtype, np.floating)
