"""All that there is to say of answers to arithmetic queries: scores, tables and figures."""

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
    """What came of some queries.

    Attributes:
        right: `[queries]` booleans: which answers match in every character.
        metrics: named as in `test/exact_match`.
        tables: columns by the table's name: `groups` and `wrong-answers`.
        figures: by name.
    """

    right: np.ndarray
    metrics: Mapping[str, float]
    tables: Mapping[str, Mapping[str, Sequence[Any]]]
    figures: Mapping[str, Figure]


def evaluate(queries: Queries, answers: Sequence[str], notation: Notation) -> Evaluation:
    """Exact match first, per character second, by group, by kind of mistake, and every wrong answer.

    Args:
        queries: with their true answers, and operands to group by; at least one.
        answers: `[queries]` texts as `Notation.decode` gives them.
        notation: how answers are written.
    """
    right = errors.exact_matches(queries.answers, answers)
    operators = list(queries.operator)
    groups = errors.scores_by_group(right, errors.groups(queries.left, queries.right, operators))
    kinds = errors.kinds(queries.answers, answers)
    counts = errors.confusion(queries.answers, answers, notation.characters, notation.answer_length)
    wrong = [i for i, one in enumerate(right) if not one]
    return Evaluation(
        right=right,
        metrics={
            "test/exact_match": groups["exact_match"][0],
            "test/exact_match_low": groups["low"][0],
            "test/exact_match_high": groups["high"][0],
            **{
                f"test/exact_match_{name.replace(' ', '_').replace('-', '_')}": share
                for name, share in zip(groups["group"][1:], groups["exact_match"][1:], strict=True)
            },
            "test/per_character": errors.per_character(queries.answers, answers, notation.answer_length),
            "test/queries": float(len(right)),
        },
        tables={
            "groups": groups,
            "wrong-answers": {
                "query": [queries.texts[i] for i in wrong],
                "truth": [queries.answers[i] for i in wrong],
                "answer": [answers[i] for i in wrong],
                "mistake": [kinds[i] for i in wrong],
            },
        },
        figures={
            "wrong-answers": figures.operand_errors(queries.left, queries.right, operators, ~right),
            "groups": figures.group_scores(groups),
            "mistakes": figures.mistake_kinds(kinds),
            "confusions": plots.confusions(counts, notation.characters),
            "differences": figures.differences(errors.differences(queries.answers, answers)),
        },
    )
