"""The labels that `fit_resample` is given, in whatever form; and those of all examples, in the same form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..datasets.base import Array
from ..errors import UnfitData


class GivenLabels(NamedTuple):
    """The label of each example, (N,) of any type; the distinct ones `classes`, ascending, and the index of each
    example's among them, `codes` (N,) int64; `as_given` puts labels (M,) into the form in which they came."""

    values: Array
    classes: Array
    codes: NDArray[np.int64]
    as_given: Callable[[Array], Any]


def given_labels(labels: Any, count: int, plural: str) -> GivenLabels:
    """An array, list, Series or column (N,), (N, 1), or one-hot (N, classes), as imbalanced-learn's samplers take.

    Raises UnfitData for anything else.
    """
    import pandas as pd
    from sklearn.utils.multiclass import check_classification_targets

    array = np.asarray(labels)
    if array.shape[:1] != (count,) or array.ndim > 2:
        raise UnfitData(f"fit_resample takes one label for each of {count} {plural}, (N,), not {array.shape}")
    if missing := int(pd.isna(array).sum()):
        raise UnfitData(f"{missing} of {count} labels are missing (NaN or None); leave these {plural} out")
    values = _flat(array, plural)
    try:
        classes, codes = np.unique(values, return_inverse=True)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in values})
        raise UnfitData(f"the labels are of several types ({', '.join(kinds)}); make them one") from None
    try:
        check_classification_targets(np.array(values.tolist()))
    except ValueError:
        raise UnfitData(f"the labels are numbers such as {values[0]}, which name no classes") from None

    def as_given(filled: Array) -> Any:
        if array.ndim == 2 and array.shape[1] > 1:
            filled = np.eye(array.shape[1], dtype=array.dtype)[filled]
        if isinstance(labels, pd.Series):
            return pd.Series(filled, name=labels.name, dtype=labels.dtype)
        if isinstance(labels, pd.DataFrame):
            return pd.DataFrame(filled, columns=labels.columns).astype(labels.dtypes)
        return filled.tolist() if isinstance(labels, list) else filled

    return GivenLabels(values, classes, codes.astype(np.int64), as_given)


def _flat(array: Array, plural: str) -> Array:
    """Labels (N,)."""
    if array.ndim == 1 or array.shape[1] == 1:
        return array.reshape(-1)
    if not (np.isin(array, [0, 1]).all() and (array.sum(1) == 1).all()):
        raise UnfitData(
            f"labels of {array.shape} are one-hot, or one for each of the {plural}: several are not supported"
        )
    return array.argmax(1)
