"""Flow matching by boosted trees: trees as arrays, modes and shares of a class, the kept rows' range."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from fillbench.datasets.base import DataSet
from fillbench.datasets.tables import toy
from fillbench.errors import CannotFill
from fillbench.generators import create, open_state, save_state
from fillbench.generators.boosting import BoostedTrees
from fillbench.tests.generators.tables import check_modes_and_shares, two_faced

MIXED = toy((120, 60), 3, 2, missing=True)


def few(seed=0, **settings):
    return create("forest-flow", random_state=seed, device="cpu", **{"levels": 2, "trees": 2, **settings})


def test_boosted_trees_learn_lines_and_steps_of_several_outputs():
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(2, 1000, 4)).astype(np.float32)

    def truth(x):
        return np.stack([3 * x[:, 0] - x[:, 1], 4 * (x[:, 2] > 0.5)], axis=1)

    trees = BoostedTrees.fit(x, truth(x).astype(np.float32), trees=30, depth=5, lr=0.3, rng=rng)
    off = (np.square(trees.predict(new) - truth(new)).mean(0) / truth(new).var(0)).tolist()
    forest = RandomForestRegressor(30, random_state=0).fit(x, truth(x))
    of_forest = (np.square(forest.predict(new) - truth(new)).mean(0) / truth(new).var(0)).tolist()
    assert off[0] < of_forest[0]
    assert off[1] < 0.2


def test_both_modes_of_the_asked_class_and_its_shares_are_learned():
    check_modes_and_shares(create("forest-flow", random_state=0).fit(two_faced(), [0, 1]))


def test_missing_values_come_back_with_their_share():
    own, made = MIXED.of_class(1), create("forest-flow", random_state=0).fit(MIXED, [1]).sample(1, 600)
    np.testing.assert_allclose(np.isnan(made).mean(0), np.isnan(own).mean(0), atol=0.1)


def test_rows_stay_within_the_range_of_the_kept_ones():
    train = toy((30, 20), 3, 0)
    made = few().fit(train, [1]).sample(1, 2000)
    assert (made >= train.x.min(0) - 1e-5).all()
    assert (made <= train.x.max(0) + 1e-5).all()


def test_what_a_class_never_varies_in_stays():
    train = toy((30, 20), 2, 1)
    x = train.x.copy()
    x[train.labels == 1, 1:] = 2
    made = few().fit(DataSet(x, train.labels, train.class_names, train.traits), [1]).sample(1, 50)
    assert (made[:, 1:] == 2).all()
    assert made[:, 0].std() > 0.5


def test_rows_of_one_kind_give_that_row():
    train = toy((30, 4), 0, 2)
    x = train.x.copy()
    x[train.labels == 1] = 1
    assert (few().fit(DataSet(x, train.labels, train.class_names, train.traits), [1]).sample(1, 5) == 1).all()


@pytest.mark.parametrize(("numbers", "categories"), [(2, 0), (0, 3)])
def test_numbers_alone_and_categories_alone_will_do(numbers, categories):
    assert len(few().fit(toy((20, 8), numbers, categories), [1]).sample(1, 5)) == 5


def test_few_rows_are_repeated_more_often_than_many_and_a_great_many_are_not_all_learned_from():
    generator = few(levels=1, trees=1).fit(toy((21_000, 100, 5), 2, 0), [0, 1, 2])
    assert generator.facts["learned_from"] == {
        "class 0": {"rows": 20_000, "duplicates": 1},
        "class 1": {"rows": 100, "duplicates": 20},
        "class 2": {"rows": 5, "duplicates": 100},
    }


def test_same_seed_same_rows():
    first, again, other = (few(seed).fit(MIXED, [1]).sample(1, 20) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other, equal_nan=True)


def test_what_was_stored_makes_the_same_rows(tmp_path):
    generator = few().fit(MIXED, [0, 1])
    save_state(tmp_path, generator.state())
    again = few().restore(MIXED, open_state(tmp_path))
    for label in (0, 1):
        np.testing.assert_array_equal(again.sample(label, 20), generator.sample(label, 20))


def test_one_row_has_no_spread():
    with pytest.raises(CannotFill, match="has 1 row; forest-flow takes the spread of at least 2"):
        few().fit(toy((20, 1), 2, 1), [1])
