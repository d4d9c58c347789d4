from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest
from imblearn.pipeline import Pipeline
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import FunctionTransformer

from fillbench import CannotFill, FillbenchError, Generator, create
from fillbench.datasets import DataSet, Traits
from fillbench.datasets.images import toy
from fillbench.generators.base import _REGISTRY

TRAIN = toy((8, 8, 1), (24, 8, 6))
SHAPE = (5, 8, 8, 1)


class Fixed(Generator):
    """Returns whatever it was made with."""

    name = "fixed"

    def __init__(self, images, **options):
        super().__init__(**options)
        self.images = images

    def _fit(self, train, deficits):
        self.seen = train

    def _sample(self, label, count):
        return self.images


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (None, "returned nothing"),
        ([[0]], "a list, not"),
        (np.full(SHAPE, np.nan), "NaN.*scale to 0..255"),
        (np.random.default_rng(0).random(SHAPE, np.float32), "float32 values, not uint8"),
        (np.arange(320, dtype=np.int64).reshape(SHAPE), "int64"),
        (np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1), "asked for 5 images, _sample returned 4"),
        (np.arange(320).astype(np.uint8).reshape(5, 8, 8), "shape"),
        (np.zeros(SHAPE, np.uint8), "mode collapse"),
        (np.array(3, np.uint8), r"_sample returned the shape \(\)"),
    ],
)
def test_a_generator_that_breaks_the_contract_is_told_how(images, message):
    with pytest.raises(FillbenchError, match=message):
        Fixed(images).fit(TRAIN, {1: 5}).sample(1, 5)


def test_sampling_before_fitting_is_refused():
    with pytest.raises(FillbenchError, match="fit before sample"):
        Fixed(None).sample(1, 5)


def test_a_class_that_does_not_exist_is_refused():
    with pytest.raises(FillbenchError, match="no class 9"):
        Fixed(None).fit(TRAIN, {1: 5}).sample(9, 5)


class Rows(Traits):
    """Stands for another kind of data: rows of floats."""

    kind = "rows"
    noun = "row"
    plural = "rows"

    def complaint(self, x, like):
        return None if x.shape[1:] == like.shape[1:] else f"rows of {x.shape[1:]}"

    def nearest(self, values):
        return np.asarray(values, np.float32)

    @classmethod
    def toys(cls):
        rng = np.random.default_rng(0)
        labels = np.repeat([0, 1], [9, 5])
        return {"rows": DataSet(rng.normal(labels[:, None], 1, (14, 4)).astype(np.float32), labels, ("a", "b"), cls())}


@pytest.mark.parametrize("name", ["dcgan", "ddpm", "stable-diffusion", "classical"])
def test_a_generator_for_images_refuses_data_of_another_kind(name):
    with pytest.raises(CannotFill, match=f"{name} takes images, not rows"):
        create(name).fit(Rows.toys()["rows"], [1])


@pytest.mark.parametrize("name", ["oversample", "smote", "borderline-smote", "adasyn"])
def test_oversampling_and_interpolation_take_any_kind_of_data(name):
    train = Rows.toys()["rows"]
    made = create(name, random_state=0).fit(train, [1]).sample(1, 8)
    assert (made.shape, made.dtype) == ((8, 4), np.float32)
    kept = train.of_class(1)
    assert (made >= kept.min(0) - 1e-6).all()
    assert (made <= kept.max(0) + 1e-6).all()


@pytest.mark.parametrize("name", ["oversample", "classical", "classical-strong"])
def test_one_kept_example_is_no_mode_collapse_of_what_repeats_it(name):
    train = toy((8, 8, 1), (12, 1, 5))
    assert len(create(name, random_state=0).fit(train, [1]).sample(1, 6)) == 6
    with pytest.raises(FillbenchError, match="mode collapse: all 5 are the same image"):
        Fixed(np.zeros(SHAPE, np.uint8)).fit(train, [1]).sample(1, 5)


@pytest.mark.parametrize("name", ["oversample", "classical"])
def test_a_class_without_examples_is_a_reason_and_no_crash(name):
    with pytest.raises(CannotFill, match=rf"class 'class 1' has no images; {name} \w+ at least 1"):
        create(name).fit(toy((8, 8, 1), (12, 0, 5)), [1])


def test_a_fit_is_told_labels_and_no_counts():
    class Asked(Fixed):
        def _fit(self, train, labels):
            self.asked = labels

    assert Asked(None).fit(TRAIN, {2: 5, 1: 3}).asked == (1, 2)
    assert Asked(None).fit(TRAIN, np.array([2, 1, 2])).asked == (1, 2)


def test_a_generator_that_cannot_run_here_says_so_when_fitted():
    class Absent(Fixed):
        def available(self):
            return "no weights; get them"

    with pytest.raises(CannotFill, match="get them"):
        Absent(None).fit(TRAIN, {1: 5})


def test_a_taken_name_is_refused_and_a_rerun_cell_is_not():
    with pytest.raises(FillbenchError, match="two generators are named 'smote'"):
        _REGISTRY.register("smote")(Fixed)
    for _ in range(2):
        _REGISTRY.register("test-fixed")(Fixed)
    assert "test-fixed" in _REGISTRY.names()
    del _REGISTRY._classes["test-fixed"]
    Fixed.name = "fixed"


@pytest.mark.parametrize("name", ["a/b", "../evil", "", "a.b", "two words", "x" * 61, "none", "full", "all", 7])
def test_a_name_that_cannot_be_a_files_or_means_something_else_is_refused(name):
    with pytest.raises(FillbenchError, match="will not do"):
        _REGISTRY.register(name)(Fixed)


def test_a_class_that_lacks_a_method_is_refused_when_registered():
    with pytest.raises(FillbenchError, match="does not define _fit, _sample"):

        @_REGISTRY.register("half")
        class Half(Generator):
            """Only half written."""


def test_a_loss_that_is_no_number_is_left_out_of_the_log():
    generator = Fixed(None)
    generator.log(step=3, loss=float("nan"), other=0.5)
    assert generator.history == [{"step": 3, "other": 0.5}]


def test_only_generators_can_be_registered():
    with pytest.raises(FillbenchError, match="derived from Generator"):
        _REGISTRY.register("odd")(dict)


def test_an_unknown_generator_or_setting_gets_the_nearest_name():
    with pytest.raises(FillbenchError, match="'smote'"):
        create("smot")
    with pytest.raises(FillbenchError, match="'neighbours'"):
        create("smote", neighbors=3)


def test_settings_are_read_from_text_and_checked():
    assert create("smote", neighbours="3").config.neighbours == 3
    with pytest.raises(FillbenchError, match=r"neighbours = '0'.*greater than 0"):
        create("smote", neighbours="0")


def test_settings_of_a_plain_dataclass_need_no_annotations_of_ours():
    from fillbench.settings import build

    @dataclass(frozen=True)
    class Config:
        steps: int = 500

    assert build(Config, {"steps": "7"}, "here").steps == 7


@pytest.mark.parametrize("shape", [(38, 8, 8), (38, 8, 8, 1), (38, 8, 8, 3)])
def test_fit_resample_is_imbalanced_learns_manner(shape):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    labels = np.repeat(["b", "a", "c"], [24, 8, 6])
    made, made_labels = create("smote", random_state=0).fit_resample(images, labels)
    assert made.shape == (72, *shape[1:])
    assert (made[:38] == images).all()
    assert dict(zip(*np.unique(made_labels, return_counts=True), strict=True)) == {"a": 24, "b": 24, "c": 24}


def test_sampling_strategy_is_imbalanced_learns():
    labels = TRAIN.labels + 10
    strategy = {11: 9}
    _, after = create("oversample", random_state=0, sampling_strategy=strategy).fit_resample(TRAIN.images, labels)
    assert np.unique(after, return_counts=True)[1].tolist() == [24, 9, 6]
    with pytest.raises(FillbenchError, match="sampling_strategy"):
        create("oversample", sampling_strategy={11: 2}).fit_resample(TRAIN.images, labels)


def test_fit_resample_refuses_images_that_are_no_pixels():
    with pytest.raises(FillbenchError, match="float32"):
        create("oversample").fit_resample(np.zeros((4, 8, 8), np.float32), np.array([0, 0, 0, 1]))


@pytest.mark.parametrize("shape", [(38, 3, 8, 8), (38, 1, 8, 8)])
def test_images_with_their_channels_first_are_told_to_move_them(shape):
    with pytest.raises(FillbenchError, match=r"C 1 or 3, not .*move the channels last"):
        create("smote").fit_resample(np.zeros(shape, np.uint8), TRAIN.labels)


@pytest.mark.parametrize("shape", [(38, 8), (38, 8, 8, 2), (38, 0, 8)])
def test_what_is_no_array_of_images_is_told_its_shape(shape):
    with pytest.raises(FillbenchError, match=re.escape(str(shape))):
        create("smote").fit_resample(np.zeros(shape, np.uint8), TRAIN.labels)


@pytest.mark.parametrize("missing", [np.nan, None])
def test_a_label_that_is_missing_is_refused_in_words(missing):
    labels = TRAIN.labels.astype(object if missing is None else float)
    labels[3] = missing
    with pytest.raises(FillbenchError, match=r"1 of 38 labels are missing \(NaN or None\)"):
        create("oversample").fit_resample(TRAIN.images, labels)


@pytest.mark.parametrize(
    ("labels", "message"), [(np.array(["a", 1] * 19, object), "several types"), (np.zeros((38, 1, 1)), r"\(38, 1, 1\)")]
)
def test_labels_that_are_no_classes_are_refused_in_words(labels, message):
    with pytest.raises(FillbenchError, match=message):
        create("oversample").fit_resample(TRAIN.images, labels)


def test_a_sampler_tells_its_settings_and_takes_others():
    sampler = create("dcgan", steps=7, random_state=3, device="cpu", sampling_strategy="all")
    params = sampler.get_params()
    assert {"steps": 7, "random_state": 3, "device": "cpu", "sampling_strategy": "all"}.items() <= params.items()
    assert create("dcgan", **params).get_params() == params
    assert sampler.set_params(steps="9", random_state=4, sampling_strategy="auto") is sampler
    assert (sampler.config.steps, sampler.seed, sampler.sampling_strategy) == (9, 4, "auto")
    with pytest.raises(FillbenchError, match="has no setting 'stepps'; did you mean 'steps'"):
        sampler.set_params(stepps=3)
    with pytest.raises(FillbenchError, match="random_state"):
        sampler.set_params(random_state=-1)


def test_scikit_learn_copies_a_sampler_without_what_it_learned():
    sampler = create("smote", neighbours=3, random_state=5, sampling_strategy={1: 30}).fit(TRAIN, [1])
    copy = clone(sampler)
    assert copy.get_params() == sampler.get_params()
    assert (copy.fit_resample(TRAIN.images, TRAIN.labels)[0][-1] == sampler.sample(1, 22)[-1]).all()
    with pytest.raises(FillbenchError, match="fit before sample"):
        clone(sampler).sample(1, 5)


def test_settings_of_a_sampler_can_be_searched_inside_a_pipeline():
    flat = FunctionTransformer(lambda images: images.reshape(len(images), -1) / 255)
    steps = [("fill", create("smote", random_state=0)), ("flat", flat), ("classify", LogisticRegression())]
    grid = {"fill__neighbours": [1, 2], "fill__random_state": [0, 1]}
    search = GridSearchCV(Pipeline(steps), grid, cv=2, error_score="raise").fit(TRAIN.images[..., 0], TRAIN.labels)
    assert search.best_params_["fill__neighbours"] in (1, 2)
    assert search.predict(TRAIN.images[..., 0]).shape == (38,)


@pytest.mark.parametrize("state", [-1, "a", 2**70, 0.5])
def test_a_random_state_that_is_no_seed_is_refused(state):
    with pytest.raises(FillbenchError, match="random_state"):
        create("oversample", random_state=state)


def test_random_state_repeats_and_its_absence_does_not():
    first, again, other = (
        create("oversample", random_state=state).fit_resample(TRAIN.images, TRAIN.labels)[0] for state in (5, 5, None)
    )
    assert (first == again).all()
    assert (first != other).any()
