"""Generators that make rows: what they learn of columns, and data frames in imbalanced-learn's manner."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fillbench import FillbenchError
from fillbench.datasets.base import DataSet
from fillbench.datasets.frames import frame_of
from fillbench.datasets.tables import Column, TableTraits, toy
from fillbench.errors import CannotFill
from fillbench.generators import builtin, create, load
from fillbench.tests.quick import QUICK

FOR_ROWS = ("oversample", "smote", "borderline-smote", "adasyn", "rose", "gaussian-copula")
GANS = ("gan", "cgan", "wgan-gp", "smote-gan", "smote-wgan-gp")
TRAIN = toy((120, 60), 3, 2, missing=True)


def made(name, count=400, train=TRAIN, **settings):
    return create(name, random_state=0, **settings).fit(train, {1: count}).sample(1, count)


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, 90),
            "income": rng.lognormal(size=90).astype(np.float32),
            "member": rng.random(90) < 0.5,
            "plan": pd.Categorical(rng.choice(["free", "paid"], 90), ["free", "paid", "gold"]),
            "town": rng.choice(["Rome", "Oslo"], 90),
            "zip": rng.choice(["0123", "9600"], 90),
            "level": pd.Categorical(rng.choice([1, 5, 9], 90)),
        }
    )
    frame.loc[3, "income"] = np.nan
    return frame, np.array(["stays"] * 70 + ["leaves"] * 20)


@pytest.mark.parametrize("name", [name for name in builtin() if load(name).takes("tables") and name != "from-files"])
def test_a_data_frame_keeps_its_columns_and_their_types(frame, name):
    given, labels = frame
    before = given.copy()
    filled, filled_labels = create(name, random_state=0, **QUICK.get(name, {})).fit_resample(given, labels)
    pd.testing.assert_frame_equal(given, before)
    pd.testing.assert_frame_equal(filled.iloc[:90], given)
    assert (filled.dtypes == given.dtypes).all()
    assert (filled_labels == "leaves").sum() == (filled_labels == "stays").sum() == 70
    assert set(filled["town"]) == {"Rome", "Oslo"}
    assert set(filled["zip"]) == {"0123", "9600"}
    assert set(filled["level"]) <= {1, 5, 9}


def test_a_series_of_labels_comes_back_as_one(frame):
    given, labels = frame
    _, again = create("smote", random_state=0).fit_resample(given, pd.Series(labels, name="churn"))
    assert again.name == "churn"
    assert len(again) == 140


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_numbers_stay_an_array_of_their_type(dtype):
    rows = (np.random.default_rng(0).normal(size=(40, 3)) * 10).astype(dtype)
    filled, _ = create("smote", random_state=0).fit_resample(rows, np.repeat([0, 1], [30, 10]))
    assert filled.dtype == dtype
    np.testing.assert_array_equal(filled[:40], rows)
    assert filled.shape == (60, 3)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "UInt8"])
def test_small_integers_stay_within_their_type(dtype):
    edge = np.iinfo(dtype.lower()).max
    frame = pd.DataFrame({"n": pd.array([edge - spot % 3 for spot in range(40)], dtype), "f": np.arange(40) / 7})
    filled, _ = create("rose", random_state=0).fit_resample(frame, np.repeat([0, 1], [30, 10]))
    assert filled["n"].dtype == frame["n"].dtype
    assert filled["n"].astype(int).between(edge - 40, edge).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.arange(40) * 1j, "column 'odd' holds complex128 values"),
        (pd.arrays.SparseArray(np.arange(40) % 3), "column 'odd' holds Sparse"),
        ([[1, 2]] * 40, r"column 'odd' holds \[1, 2\], which is no single value"),
    ],
    ids=["complex", "sparse", "lists"],
)
def test_columns_that_are_no_numbers_and_no_categories_are_refused(values, message):
    frame = pd.DataFrame({"odd": values, "f": np.arange(40) / 7})
    with pytest.raises(FillbenchError, match=message):
        create("smote").fit_resample(frame, np.repeat([0, 1], [30, 10]))


def test_numbers_that_single_precision_cannot_tell_apart_are_refused():
    frame = pd.DataFrame({"time": np.arange(1_700_000_000, 1_700_000_040), "f": np.arange(40) / 7})
    with pytest.raises(FillbenchError, match="column 'time' holds large numbers that differ by little"):
        create("oversample").fit_resample(frame, np.repeat([0, 1], [30, 10]))


def test_a_frame_that_cannot_be_filled_is_refused(frame):
    given, labels = frame
    ids = given.assign(id=[f"id{spot}" for spot in range(90)])
    with pytest.raises(FillbenchError, match=r"column 'id' is another text in every row, .*drop it"):
        create("smote").fit_resample(ids, labels)
    twice = given.set_axis(["a", "a", *"bcdef"], axis=1)
    with pytest.raises(FillbenchError, match="names of their own"):
        create("smote").fit_resample(twice, labels)


def test_a_generator_of_images_takes_no_rows(frame):
    given, labels = frame
    with pytest.raises(FillbenchError, match="dcgan takes images, not rows"):
        create("dcgan").fit_resample(given, labels)


@pytest.mark.parametrize("name", [name for name in FOR_ROWS if name not in ("borderline-smote", "adasyn")])
def test_rows_have_the_mean_of_their_class_and_its_share_of_missing_values(name):
    own, rows = TRAIN.of_class(1), made(name)
    spread = np.nanstd(own[:, :3], axis=0)
    assert (np.abs(np.nanmean(rows[:, :3], axis=0) - np.nanmean(own[:, :3], axis=0)) < 0.6 * spread).all()
    assert np.isnan(rows).mean() == pytest.approx(np.isnan(own).mean(), abs=0.09)


@pytest.mark.parametrize("name", ["rose", "gaussian-copula"])
def test_columns_that_go_together_still_do(name):
    rng = np.random.default_rng(0)
    train = toy((60, 200), 2, 0)
    x = train.x.copy()
    x[:, 0] = rng.normal(size=260)
    x[:, 1] = (30 * x[:, 0] + rng.normal(size=260)).round()
    rows = made(name, train=type(train)(x, train.labels, train.class_names, train.traits))
    assert np.corrcoef(rows.T)[0, 1] > 0.8


@pytest.mark.parametrize("name", GANS)
def test_a_gan_learns_where_the_rows_of_a_class_lie(name):
    own, rows = TRAIN.of_class(1), made(name, steps=400)
    off = np.abs(np.nanmean(rows[:, :3], axis=0) - np.nanmean(own[:, :3], axis=0)) / np.nanstd(own[:, :3], axis=0)
    assert (off < 0.5).all(), off
    shares = [np.bincount(x[:, 3][~np.isnan(x[:, 3])].astype(int), minlength=3) / len(x) for x in (rows, own)]
    assert np.abs(shares[0] - shares[1]).max() < 0.35, shares
    assert shares[0][0] < 0.1, "the other class has it in half of its rows"


@pytest.mark.parametrize("variant", ["borderline-smote", "adasyn"])
def test_a_gan_starts_where_its_variant_of_smote_does(variant):
    near, far = np.linspace(0, 1, 3), np.linspace(9, 10, 12)
    x = np.concatenate([np.linspace(0, 1, 20), near, far])[:, None].repeat(2, 1).astype(np.float32)
    columns = toy((2, 2), 2, 0).traits.columns[:1] * 2
    train = DataSet(x, np.repeat([0, 1], [20, 15]), ("a", "b"), TableTraits(columns))

    def of_near(**settings):
        generator = create("smote-gan", random_state=0, steps=1, neighbours=2, **settings).fit(train, [1])
        return float((generator._inputs(1, 200)[:, 0] < 0).float().mean())

    assert of_near(smote=variant) > 0.9
    assert of_near() < 0.4


def test_rows_made_elsewhere_come_from_a_file_with_their_classes(tmp_path):
    path = tmp_path / "made.csv"
    made_elsewhere = TRAIN.take(np.arange(100, 140))
    frame_of(made_elsewhere, "sort").to_csv(path, index=False)
    generator = create("from-files", path=str(path), random_state=0).fit(TRAIN, [0, 1])
    rows = generator.sample(1, 20)
    assert {row.tobytes() for row in rows} == {row.tobytes() for row in TRAIN.x[120:140]}
    with pytest.raises(CannotFill, match=r"20 rows of class 'class 1' in .*, 30 are needed; add rows"):
        generator.sample(1, 30)


@pytest.mark.parametrize("rare", ["None", "01"])
def test_classes_and_categories_of_rows_made_elsewhere_are_read_as_they_are_written(tmp_path, rare):
    column = Column("zone", ("01", "02", "A"))
    train = DataSet(np.float32([[0], [1], [2], [0]]), np.array([0, 0, 1, 1]), ("usual", rare), TableTraits((column,)))
    path = tmp_path / "made.csv"
    path.write_text(f"zone,class\n02,{rare}\n01,{rare}\n")
    made = create("from-files", path=str(path), random_state=0).fit(train, [1]).sample(1, 2)
    assert sorted(made[:, 0]) == [0, 1]


def test_one_class_written_in_two_ways_is_refused(tmp_path):
    path = tmp_path / "made.csv"
    twice = frame_of(TRAIN, "kind")
    twice["kind"] = np.resize(["class 1", "class 1 "], len(twice))
    twice.to_csv(path, index=False)
    with pytest.raises(FillbenchError, match="has 'class 1' and 'class 1 ', which are one class"):
        create("from-files", path=str(path)).fit(TRAIN, [1])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frame: frame.drop(columns="sort 1"), "no column 'sort 1'; did you mean 'sort 0'"),
        (lambda frame: frame.drop(columns="kind"), "with the classes; it has no other column"),
        (lambda frame: frame.assign(id=1), "one column besides the data's, .* it has kind, id"),
        (lambda frame: frame.assign(kind="class 9"), "has rows of 'class 9', which is no class here"),
        (lambda frame: frame.assign(**{"sort 0": "huge"}), "has 'huge' in column 'sort 0', which is no category"),
        (lambda frame: frame.assign(**{"number 0": "one"}), "has 'one' in column 'number 0', which is no number"),
    ],
)
def test_rows_made_elsewhere_that_are_not_such_rows_are_refused(spoil, message, tmp_path):
    path = tmp_path / "made.csv"
    spoil(frame_of(TRAIN, "kind")).to_csv(path, index=False)
    with pytest.raises(FillbenchError, match=message):
        create("from-files", path=str(path)).fit(TRAIN, [1])


def test_less_noise_stays_nearer_to_the_kept_rows():
    train = toy((60, 30), 3, 0)
    own = train.of_class(1)

    def off(**settings):
        rows = made("rose", train=train, **settings)
        return float(np.abs(rows[:, None] - own[None]).sum(2).min(1).mean())

    assert off(shrink=0.1) < off() / 2


def test_a_copula_needs_two_rows():
    lone = toy((20, 1), 2, 1)
    for name in ("rose", "gaussian-copula"):
        with pytest.raises(FillbenchError, match=r"has 1 row; .* at least 2"):
            create(name, random_state=0).fit(lone, {1: 3})
