"""How often the audits are right: what cannot leak is called no leak; a little of one, or of wrong labels, is found."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats

from fillbench.benchmark.audits import auditor_of
from fillbench.benchmark.audits.audit import Part, identical, nearness
from fillbench.benchmark.audits.chance import at_least, fewer, uneven
from fillbench.benchmark.audits.flags import FLAGS
from fillbench.benchmark.audits.nearness import by_source, feature_distances, nearer
from fillbench.classifiers.images import Config
from fillbench.tests.audited import CPU, Bench, bent, noisy
from fillbench.tests.benchmark.test_audit import EIGHT, digits
from fillbench.tests.shapes import split

COUNT, SQUARE = 84, 1
HONEST = ("oversample", "smote", "classical")
LEAKS = next(flag for flag in FLAGS if flag.name == "leaks")


@pytest.fixture(scope="module", params=["digits", "shapes"])
def bench(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    if request.param == "digits":
        return Bench(folder, digits(), EIGHT)
    return Bench(folder, split(90, 90), SQUARE, config=Config(model="test_resnet", steps=80, batch_size=64))


@pytest.mark.parametrize("generator", HONEST)
@pytest.mark.parametrize("kept", [2, 3, 5])
def test_what_has_seen_a_few_kept_images_only_does_not_leak(bench, generator, kept):
    for seed in range(2):
        images = bench.keep(kept, seed).made(generator, COUNT, seed)
        assert "leaks" not in bench.audit(images)["flags"]


@pytest.mark.parametrize("rest", ["classical", "oversample"])
@pytest.mark.parametrize("kept", [5, 20])
def test_a_fifth_of_test_images_under_light_noise_is_a_leak(bench, rest, kept):
    leaked = noisy(bench.drawn(bench.split.test, COUNT // 5), 10)
    images = np.concatenate([leaked, bench.keep(kept).made(rest, COUNT - len(leaked))])
    assert "leaks" in bench.audit(images, looks=3)["flags"]


@pytest.mark.parametrize("rest", ["smote", "oversample"])
def test_three_of_ten_wrong_labels_are_found(bench, rest):
    wrong = bench.others(3 * COUNT // 10)
    images = np.concatenate([wrong, bench.keep(5).made(rest, COUNT - len(wrong))])
    found = bench.audit(images, looks=3)
    assert "wrong label" in found["flags"]
    assert found["cannot_tell"] == []


def test_where_too_few_would_be_recognised_wrong_labels_cannot_be_told(bench):
    images = bench.drawn(bench.split.test, COUNT)
    recall = [*bench.judge.recall]
    assert bench.audit(images)["cannot_tell"] == []
    assert bench.audit(images[:4])["cannot_tell"] == ["wrong label"]
    recall[bench.label] = 0.3
    blind = copy(bench)
    blind.judge = replace(bench.judge, recall=recall)
    assert blind.audit(images)["cannot_tell"] == ["wrong label"]


def test_bent_kept_images_are_near_the_kept_ones_and_light_noise_makes_copies(bench):
    kept = bench.drawn(bench.keep(5).split.train.take(bench.kept), COUNT)
    for images in (bent(kept, 8, 0.05), bent(kept, 2, 0.02, 0.03), bench.made("classical", COUNT)):
        assert "copies" not in bench.audit(images)["flags"]
    assert "near the kept ones" in bench.audit(bent(kept, 8, 0.05))["flags"]
    for images in (kept, noisy(kept, 10), kept[:, :, ::-1]):
        assert "copies" in bench.audit(images)["flags"]


def test_test_images_that_are_turned_are_a_leak_where_pixels_are_enough(bench):
    if bench.label == EIGHT:
        pytest.skip("8x8 images are another image when they are turned")
    found = bench.keep(5).audit(bent(bench.drawn(bench.split.test, COUNT), 20, 0.02))
    assert found["test_leak_rate"]["pixels"] > 0.5
    assert "leaks" in found["flags"]


def test_many_examples_near_one_source_are_one_witness():
    near = torch.tensor([True, True, True, False, True])
    assert by_source(near, torch.tensor([7, 7, 7, 7, 2])) == [1.75, 2]


def test_chances_are_those_of_scipy():
    assert at_least(6, 27, 3, 55) == pytest.approx(stats.betabinom.sf(5, 27, 3, 53))
    assert uneven(2, 14) == pytest.approx(stats.binomtest(2, 14).pvalue)
    assert uneven(7, 14) == 1
    for hits, others in ((53, 80), (80, 87), (3, 4)):
        table = [[hits, 84 - hits], [others, 87 - others]]
        assert fewer(hits, 84, others, 87) == pytest.approx(stats.fisher_exact(table, "less").pvalue)


def test_sides_are_counted_by_distinct_examples():
    one, other = torch.full((40, 20), 2.0), torch.full((40, 20), 3.0)
    other[:5, 3] = 1.0
    share, sources = nearer(one, other)
    assert share == 35 / 40
    assert sources == [1, 2]


def test_the_more_an_arm_is_looked_at_the_surer_a_flag_has_to_be(bench):
    images = np.concatenate(
        [noisy(bench.drawn(bench.split.test, COUNT // 5), 10), bench.keep(5).made("smote", COUNT - COUNT // 5)]
    )
    assert "leaks" in bench.audit(images)["flags"]
    assert "leaks" not in bench.audit(images, looks=10**12)["flags"]


@dataclass(frozen=True)
class Known(Part):
    """Real examples, at the places `rows` of all, whose distances to each other are computed once."""

    rows: np.ndarray
    near: torch.Tensor
    loose: torch.Tensor
    seen: torch.Tensor

    def at(self, rows):
        return replace(
            self, x=self.x[rows], prepared=self.prepared[rows], features=self.features[rows], rows=self.rows[rows]
        )

    def joined(self, other):
        return replace(self, **vars(super().joined(other)), rows=np.concatenate([self.rows, other.rows]))

    def distances(self, others):
        return tuple(all_of_them[self.rows][:, others.rows] for all_of_them in (self.near, self.seen))

    def loose_distances(self, others):
        return tuple(all_of_them[self.rows][:, others.rows] for all_of_them in (self.loose, self.seen))


def known(x, judge, auditor) -> Known:
    prepared, features = auditor.prepare(x, CPU), judge.look(x)[0]
    pairs = (ways(prepared, prepared) for ways in (auditor.distances, auditor.loose_distances))
    return Known(auditor, x, prepared, features, np.arange(len(x)), *pairs, feature_distances(features, features))


class Cut:
    """A class cut to `keep` images under a seed; of the others some are the test images, and some are new."""

    def __init__(self, bench, real, keep, seed):
        own = np.flatnonzero(bench.split.train.labels == bench.label)
        given = np.isin(own, bench.keep(keep, seed).kept)
        rest = len(own) + np.random.default_rng(seed).permutation(len(real.x) - len(own))
        new, test = np.split(rest, [2 * len(rest) // 5])
        self.new = real.x[new]
        self.parts = [real.at(rows) for rows in (np.flatnonzero(given), np.flatnonzero(~given), np.sort(test))]

    def leaks(self, x, judge, auditor, seeds):
        """Whether images are called a leak, as one of so many seeds."""
        made = Part(auditor, x, auditor.prepare(x, CPU), judge.look(x)[0])
        entry = {**identical(x, *(part.x for part in self.parts)), **nearness(made, *self.parts)}
        return LEAKS.raised(entry, auditor.limits, auditor.limits.chance / seeds)


@pytest.mark.slow
def test_under_a_hundredth_of_the_runs_in_which_nothing_leaks_is_called_a_leak(bench):
    """A run is three seeds of a generator; besides those that learn from the kept images there are new real ones."""
    bench, auditor, classes = copy(bench), auditor_of("images")(), len(bench.split.train.class_names)
    found, runs = dict.fromkeys((*HONEST, "new"), 0), 0
    for bench.label in range(classes):
        parts = [part.of_class(bench.label) for part in (bench.split.train, bench.split.test)]
        real = known(np.concatenate(parts), bench.judge, auditor)
        for keep, run in product((2, 3, 4, 5, 10, 20), range(20 // classes)):
            flagged = set()
            for seed in range(3 * run, 3 * run + 3):
                cut = Cut(bench, real, keep, seed)
                for name in found:
                    x = cut.new if name == "new" else bench.made(name, COUNT, seed)
                    flagged |= {name} if cut.leaks(x, bench.judge, auditor, 3) else set()
            found |= {name: found[name] + 1 for name in flagged}
            runs += 1
    print(f"{classes} classes, {runs} runs of three seeds: called a leak {found}")
    assert sum(found.values()) < 0.01 * runs * len(found)
