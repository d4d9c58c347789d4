"""Samplers in imbalanced-learn's manner: its own checks of an estimator, for every generator that takes rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from imblearn.utils import estimator_checks

from fillbench import FillbenchError
from fillbench.generators import builtin, create, load
from fillbench.tests.quick import QUICK

FITS_MIXTURES = ("ctgan", "tvae")  # of 1,000 rows: slow
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in FITS_MIXTURES else [])
    for name in builtin()
    if load(name).takes("tables") and name != "from-files"
]
# Sparse columns are refused: a table has a value in every field.
CHECKS = {
    check.__name__: check
    for check in estimator_checks._yield_sampler_checks(create("smote"))
    if check is not estimator_checks.check_samplers_pandas_sparse
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))
@pytest.mark.filterwarnings("ignore")
def test_a_generator_passes_the_checks_of_imbalanced_learns_samplers(name, check):
    check(name, create(name, random_state=0, device="cpu", **QUICK.get(name, {})))


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [60, 20])
    return rng.normal(size=(80, 3)) + labels[:, None], labels


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(80), "the labels are '0.0' everywhere"),
        (np.linspace(0, 1, 80), "which name no classes"),
        (np.ones((80, 2), int), "several are not supported"),
        (np.zeros(79), r"one label for each of 80 rows, \(N,\), not \(79,\)"),
    ],
)
def test_labels_that_are_no_classes_are_refused_as_scikit_learns_callers_expect(rows, labels, message):
    with pytest.raises(FillbenchError, match=message) as told:
        create("smote").fit_resample(rows[0], labels)
    assert isinstance(told.value, ValueError)


@pytest.mark.parametrize(
    "form",
    [
        lambda labels: pd.DataFrame({"sick": labels}),
        pd.get_dummies,
        lambda labels: pd.Series(labels, dtype="Int64", name="sick"),
        lambda labels: pd.Series(np.array(["well", "ill"])[labels], dtype="category"),
        lambda labels: labels.astype(object),
        lambda labels: labels.astype(bool).astype(object),
        lambda labels: np.array(["well", "ill"])[labels].tolist(),
    ],
    ids=["frame", "dummies", "Int64", "category", "object", "object of bool", "list"],
)
def test_labels_come_back_in_the_form_in_which_they_were_given(rows, form):
    given = form(rows[1])
    _, labels = create("smote", random_state=0).fit_resample(rows[0], given)
    assert type(labels) is type(given)
    assert len(labels) == 120
    for told in ("dtype", "dtypes", "name", "columns"):
        if hasattr(given, told):
            assert np.all(getattr(labels, told) == getattr(given, told))
    if isinstance(given, list):
        assert labels[:80] == given
    else:
        assert (np.asarray(labels)[:80] == np.asarray(given)).all()
