"""Tables are classified: by which classifiers, under which strategies, and how they are kept."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from fillbench import FillbenchError
from fillbench.classifiers.base import trainer_of
from fillbench.classifiers.learners import TABICL
from fillbench.classifiers.mlp import MLP
from fillbench.datasets.tables import toy

CPU = torch.device("cpu")
TRAINER = trainer_of("tables")()
CONFIG = TRAINER.Config(iterations=20)
TRAIN, TEST = toy((90, 60, 30), missing=True), toy((60, 60, 60), missing=True, seed=1)
TWO = TRAIN.take(np.flatnonzero(TRAIN.labels != 1))
PAIR = {
    "train": toy((400, 40), missing=True),
    "test": toy((150, 150), missing=True, seed=1),
}
STEPS = TRAINER.Config(model="mlp", iterations=30)
BUILT_IN = ("gradient-boosting", "logistic", "random-forest", "mlp")


def recalls(trained, test):
    by = trained.model.thresholds
    found = (trained.probabilities if by is None else trained.probabilities / by).argmax(1)
    return [float((found[test.labels == label] == label).mean()) for label in range(len(test.class_names))]


@pytest.mark.parametrize("name", [*BUILT_IN, "xgboost", "lightgbm"])
def test_every_classifier_learns_from_numbers_categories_and_missing_values(name):
    if name not in BUILT_IN and importlib.util.find_spec(name) is None:
        with pytest.raises(FillbenchError, match=f"--classifier {name} needs {name}: pip install {name}"):
            TRAINER.settle(TRAINER.Config(model=name), TRAIN, CPU)
        pytest.skip(f"{name} is not installed")
    trained = TRAINER.train(TRAINER.Config(model=name, iterations=20), TRAIN, TEST, 0, CPU)
    assert trained.probabilities.shape == (180, 3)
    assert trained.probabilities.dtype == np.float32
    np.testing.assert_allclose(trained.probabilities.sum(1), 1, atol=1e-5)
    assert (trained.probabilities.argmax(1) == TEST.labels).mean() > 0.6


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_same_seed_gives_the_same_probabilities(name):
    config = TRAINER.Config(model=name, iterations=10)
    first, second = (TRAINER.train(config, TRAIN, TEST, 3, CPU).probabilities for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("config", [CONFIG, STEPS], ids=lambda config: config.model)
@pytest.mark.parametrize("strategy", ["class-balanced", "undersample", "balanced-bagging", "tuned-threshold"])
def test_strategies_for_imbalance_find_more_of_the_rare_class(strategy, config):
    plain = TRAINER.train(config, PAIR["train"], PAIR["test"], 0, CPU)
    other = TRAINER.train(config, PAIR["train"], PAIR["test"], 0, CPU, strategy=strategy)
    assert recalls(other, PAIR["test"])[1] > recalls(plain, PAIR["test"])[1]


def test_a_tuned_threshold_changes_decisions_and_no_probability():
    plain = TRAINER.train(CONFIG, PAIR["train"], PAIR["test"], 0, CPU)
    tuned = TRAINER.train(CONFIG, PAIR["train"], PAIR["test"], 0, CPU, strategy="tuned-threshold")
    np.testing.assert_array_equal(tuned.probabilities, plain.probabilities)
    assert plain.model.thresholds is None
    first, second = tuned.model.thresholds
    assert first + second == 1
    assert 0 < second < 0.5


def test_the_threshold_of_a_filled_arm_is_found_on_the_kept_rows():
    """Copies of a row that validates would be known by heart, and a high threshold would look right."""
    train = PAIR["train"]
    rare = np.flatnonzero(train.labels == 1)
    filled = train.joined(train.take(np.resize(rare, len(train) - 2 * len(rare))))
    plain = TRAINER.train(CONFIG, filled, PAIR["test"], 0, CPU)
    tuned = TRAINER.train(CONFIG, filled, PAIR["test"], 0, CPU, strategy="tuned-threshold", kept=len(train))
    as_if_real = TRAINER.train(CONFIG, filled, PAIR["test"], 0, CPU, strategy="tuned-threshold")
    assert tuned.model.thresholds[1] < as_if_real.model.thresholds[1]
    assert sum(recalls(tuned, PAIR["test"])) > sum(recalls(plain, PAIR["test"]))


def test_a_class_of_one_row_leaves_the_threshold_where_it_was():
    few = PAIR["train"].take(np.flatnonzero(np.cumsum(PAIR["train"].labels) <= 1))
    tuned = TRAINER.train(CONFIG, few, PAIR["test"], 0, CPU, strategy="tuned-threshold")
    assert tuned.model.thresholds.tolist() == [0.5, 0.5]


def test_a_threshold_is_refused_for_three_classes():
    assert "there are 3 classes" in TRAINER.refuses(CONFIG, TRAIN, "tuned-threshold")
    assert TRAINER.refuses(CONFIG, PAIR["train"], "tuned-threshold") is None
    assert TRAINER.refuses(CONFIG, TRAIN, "undersample") is None


@pytest.mark.parametrize(
    ("config", "strategy"), [(CONFIG, "ce"), (CONFIG, "tuned-threshold"), (CONFIG, "undersample"), (STEPS, "ce")]
)
def test_a_model_that_was_kept_says_the_same(tmp_path, config, strategy):
    trained = TRAINER.train(config, PAIR["train"], PAIR["test"], 5, CPU, strategy=strategy)
    model = trained.model.shifted(np.array([0.0, -1.0], np.float32))
    model.save(tmp_path)
    again = TRAINER.open(tmp_path, CPU)
    np.testing.assert_array_equal(again.probabilities(TEST.x), model.probabilities(TEST.x))
    np.testing.assert_array_equal(again.features(TEST.x), model.features(TEST.x))
    np.testing.assert_array_equal(again.thresholds, model.thresholds)


def test_a_shift_moves_decisions_by_the_logits():
    model = TRAINER.train(CONFIG, TRAIN, TEST, 0, CPU).model
    plain = model.probabilities(TEST.x).astype(np.float64)
    moved = plain * np.exp([0.0, 1.0, 2.0])
    shifted = model.shifted(np.array([0.0, -1.0, -2.0], np.float32)).probabilities(TEST.x)
    np.testing.assert_allclose(shifted, moved / moved.sum(1, keepdims=True), rtol=1e-4, atol=1e-6)


def test_a_class_without_rows_is_never_found():
    probabilities = TRAINER.train(CONFIG, TWO, TEST, 0, CPU).probabilities
    assert (probabilities[:, 1] < 1e-5).all()


def test_an_unknown_classifier_is_refused_with_the_nearest():
    with pytest.raises(FillbenchError, match="unknown classifier 'logistics'; did you mean 'logistic'"):
        TRAINER.settle(TRAINER.Config(model="logistics"), TRAIN, CPU)


def test_iterations_are_those_of_the_classifier_unless_given():
    settled = {name: TRAINER.settle(TRAINER.Config(model=name), TRAIN, CPU).iterations for name in BUILT_IN}
    assert settled == {"gradient-boosting": 100, "logistic": None, "random-forest": 100, "mlp": 500}
    assert TRAINER.settle(CONFIG, TRAIN, CPU).iterations == 20
    with pytest.raises(FillbenchError, match=r"--set classifier\.iterations has no meaning for logistic: leave it out"):
        TRAINER.settle(TRAINER.Config(model="logistic", iterations=20), TRAIN, CPU)


def test_an_mlp_leaves_the_random_state_as_it_was_and_is_not_moved_by_it():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = TRAINER.train(STEPS, TRAIN, TEST, 0, CPU).probabilities
        drawn = torch.rand(3)
        torch.manual_seed(1)
        assert torch.equal(torch.rand(3), drawn)
        np.testing.assert_array_equal(TRAINER.train(STEPS, TRAIN, TEST, 0, CPU).probabilities, first)


def test_an_mlp_takes_as_many_steps_however_many_rows_there_are():
    steps = []
    hook = register_optimizer_step_post_hook(lambda *_: steps.append(1))
    TRAINER.train(STEPS, TRAIN, TEST, 0, CPU)
    few = len(steps)
    TRAINER.train(STEPS, TRAIN.joined(TRAIN).joined(TRAIN), TEST, 0, CPU)
    hook.remove()
    assert few == len(steps) - few == STEPS.iterations


def test_an_mlp_counts_rows_by_their_weights():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)).astype(np.float32)
    labels = rng.integers(0, 2, 200)
    without_the_second = MLP(60).fit(x, labels, sample_weight=(labels == 0).astype(float))
    assert (without_the_second.predict_proba(x)[:, 1] < 0.1).all()
    same = MLP(60).fit(x, labels, sample_weight=np.full(200, 7.0)).predict_proba(x)
    np.testing.assert_allclose(same, MLP(60).fit(x, labels).predict_proba(x), atol=1e-6)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_tabicl_is_refused_with_what_fetches_what_it_lacks(hub):
    installed = importlib.util.find_spec("tabicl")
    told = "hf download jingang/TabICL" if installed else "--classifier tabicl needs tabicl: pip install tabicl"
    with pytest.raises(FillbenchError, match=told):
        TRAINER.settle(TRAINER.Config(model="tabicl"), TRAIN, CPU)


def test_a_classifier_that_takes_no_weights_is_not_trained_by_them():
    tabicl = TRAINER.Config(model="tabicl")
    assert TRAINER.refuses(tabicl, TRAIN, "class-balanced") == "weighs rows, and tabicl takes no weights"
    assert TRAINER.refuses(tabicl, TRAIN, "undersample") is None
    assert TRAINER.judge(tabicl)[1] == "undersample"
    assert TRAINER.judge(CONFIG)[1] == "class-balanced"


def test_tabicl_predicts_by_the_weights_that_are_in_the_cache(hub):
    pytest.importorskip("tabicl")
    from tabicl._model.tabicl import TabICL

    shape = {f"{part}_{size}": 2 for part in ("col", "row", "icl") for size in ("num_blocks", "nhead")}
    shape |= {"embed_dim": 16, "col_num_inds": 8, "row_num_cls": 2}
    weights = TabICL(**shape).state_dict()
    drawn = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(value.shape, generator=drawn) / 4 for name, value in weights.items()}
    repository, name = TABICL
    snapshot = hub / f"models--{repository.replace('/', '--')}" / "snapshots" / "some"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("some")
    torch.save({"config": shape, "state_dict": weights}, snapshot / name)
    config = TRAINER.settle(TRAINER.Config(model="tabicl"), TRAIN, CPU)
    trained = TRAINER.train(config, TRAIN, TEST, 0, CPU)
    np.testing.assert_allclose(trained.probabilities.sum(1), 1, atol=1e-5)
    assert np.ptp(trained.probabilities, axis=0).max() > 0
    trained.model.save(hub)
    np.testing.assert_array_equal(TRAINER.open(hub, CPU).probabilities(TEST.x), trained.probabilities)
    for strategy in ("undersample", "balanced-bagging"):
        assert TRAINER.train(config, TRAIN, TEST, 0, CPU, strategy=strategy).probabilities.shape == (180, 3)
