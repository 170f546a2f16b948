"""The evaluation of answers to arithmetic queries: metrics, tables and figures.

All modalities are evaluated by it, so that their scores are comparable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from library.framework import plots
from library.sums import figures
from library.sums.data.notation import Notation
from library.sums.data.queries import Queries
from library.sums.metrics import errors


@dataclass(frozen=True)
class Evaluation:
    """Which answers `[queries]` match in every character, metrics, the columns of tables, and figures, by name."""

    correct: np.ndarray
    metrics: Mapping[str, float]
    tables: Mapping[str, Mapping[str, Sequence[Any]]]
    figures: Mapping[str, Figure]


def evaluate(queries: Queries, answers: Sequence[str], notation: Notation) -> Evaluation:
    """Evaluates answers as wholes, by character, by group and by kind of mistake, and lists every wrong one.

    There is at least one query; answers are texts `[queries]` as `Notation.decode` gives them.
    """
    correct = errors.exact_matches(queries.answers, answers)
    operators = list(queries.operator)
    groups = errors.scores_by_group(correct, errors.groups(queries.left, queries.right, operators))
    kinds = errors.kinds(queries.answers, answers)
    counts = errors.confusion(queries.answers, answers, notation.characters, notation.answer_length)
    wrong = np.flatnonzero(~correct).tolist()
    columns = {"query": queries.texts, "truth": queries.answers, "answer": answers, "mistake": kinds}
    return Evaluation(
        correct=correct,
        metrics={
            "test/exact_match": groups["exact_match"][0],
            "test/exact_match_low": groups["low"][0],
            "test/exact_match_high": groups["high"][0],
            **{
                f"test/exact_match_{name.replace(' ', '_').replace('-', '_')}": share
                for name, share in zip(groups["group"][1:], groups["exact_match"][1:], strict=True)
            },
            "test/per_character": errors.per_character(queries.answers, answers, notation.answer_length),
            "test/queries": float(len(correct)),
        },
        tables={
            "groups": groups,
            "wrong-answers": {name: [column[i] for i in wrong] for name, column in columns.items()},
        },
        figures={
            "wrong-answers": figures.operand_errors(queries.left, queries.right, operators, ~correct),
            "groups": figures.group_scores(groups),
            "mistakes": figures.mistake_kinds(kinds),
            "confusions": plots.confusions(counts, notation.characters),
            "differences": figures.differences(errors.differences(queries.answers, answers)),
        },
    )
