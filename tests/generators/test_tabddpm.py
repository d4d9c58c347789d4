"""Diffusion of rows: normal scores and back, multinomial diffusion, modes and shares of a class, resuming."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from fillbench.datasets.tables import toy
from fillbench.errors import CannotFill, FillbenchError
from fillbench.generators import checkpoint, create, open_state, save_state
from fillbench.generators.multinomial import Multinomial
from fillbench.generators.normal_scores import NormalScores
from fillbench.tests.generators.tables import check_modes_and_shares, two_faced
from fillbench.tests.kills import KilledError, killed_at

CPU = torch.device("cpu")
MIXED = toy((120, 60), 3, 2, missing=True)


def few(seed=0, **settings):
    return create("tabddpm", random_state=seed, device="cpu", **{"steps": 3, "times": 4, "width": 16, **settings})


@pytest.mark.parametrize(
    "train",
    [toy((120, 60)), MIXED, toy((50, 20), 0, 3), toy((2, 1, 1), 2, 0), two_faced()],
    ids=["both", "missing", "categories", "four rows", "two modes"],
)
def test_rows_come_back_from_normal_scores_as_they_were(train):
    encoder = NormalScores.fit(train)
    np.testing.assert_allclose(encoder.decode(encoder.encode(train.x, CPU)), train.x, rtol=1e-4, atol=1e-4)


def test_numbers_become_normal_whatever_they_were():
    train = two_faced()
    assert kstest(train.x[:, 0] / train.x[:, 0].std(), "norm").pvalue < 1e-6
    encoder = NormalScores.fit(train)
    scores = encoder.encode(train.x, CPU)
    assert encoder.numbers == 2
    for column in scores.T[:2]:
        assert kstest(column.numpy(), "norm").statistic < 0.02
    assert set(scores[:, 2:].unique().tolist()) == {0.0, 1.0}


def test_what_lies_beyond_the_kept_numbers_becomes_the_outermost():
    train = toy((120, 60), 2, 0)
    beyond = NormalScores.fit(train).decode(torch.tensor([[-20.0, -20.0], [20.0, 20.0]]))
    np.testing.assert_allclose(beyond, [train.x.min(0), train.x.max(0)], rtol=1e-5)


def one_hot(codes, categories):
    return torch.cat([torch.eye(count)[column] for column, count in zip(codes, categories, strict=True)], dim=1)


def test_noise_keeps_the_share_of_values_that_it_should_and_makes_the_others_any_category():
    torch.manual_seed(0)
    kept = torch.tensor([0.9, 0.3])
    diffusion = Multinomial((4, 2), kept, CPU)
    clean = one_hot([torch.ones(8000, dtype=torch.int64)] * 2, (4, 2))
    for time, left in enumerate(kept.tolist()):
        shares = diffusion.noisy(clean, torch.full((8000,), time)).mean(0)
        expected = torch.tensor([(1 - left) / 4] * 4 + [(1 - left) / 2] * 2) + left * clean[0]
        torch.testing.assert_close(shares, expected, atol=0.02, rtol=0)
    torch.testing.assert_close(diffusion.noise(8000).mean(0), torch.tensor([0.25] * 4 + [0.5] * 2), atol=0.02, rtol=0)


def test_the_loss_is_the_divergence_of_the_two_ways_back():
    kept = torch.tensor([0.8, 0.5, 0.1])
    logits = torch.tensor([[0.3, -0.2, 1.0, 2.0, 0.5]])
    clean, noisy = (one_hot([torch.tensor([code]) for code in codes], (3, 2)) for codes in ((0, 1), (2, 1)))
    terms = []
    for column in (slice(0, 3), slice(3, 5)):
        size = column.stop - column.start
        last = 0.2 * noisy[0, column] + 0.8 / size  # of the value one time earlier, 0.1 / 0.5 of it being left
        ways = []
        for shares in (clean[0, column], logits[0, column].softmax(0)):
            way = last * (0.5 * shares + 0.5 / size)
            ways.append(way / way.sum())
        terms.append((ways[0] * (ways[0] / ways[1]).log()).sum())
    found = Multinomial((3, 2), kept, CPU).loss(logits, clean, noisy, torch.tensor([2]))
    torch.testing.assert_close(found, 3 * (terms[0] + terms[1]) / 2)


def test_a_sure_guess_of_the_first_time_is_drawn_and_costs_nothing():
    diffusion = Multinomial((3, 2), torch.tensor([0.9, 0.5]), CPU)
    clean, noisy = (one_hot([torch.tensor([code]) for code in codes], (3, 2)) for codes in ((0, 1), (0, 0)))
    first = torch.tensor([0])
    torch.testing.assert_close(diffusion.step(90 * clean, noisy, first), clean)
    assert float(diffusion.loss(90 * clean, clean, noisy, first)) == pytest.approx(0, abs=1e-6)


def test_both_modes_of_the_asked_class_and_its_shares_are_learned():
    check_modes_and_shares(create("tabddpm", random_state=0, device="cpu", steps=400).fit(two_faced(), [0, 1]))


def test_missing_values_come_back_with_their_share():
    own, made = (
        MIXED.of_class(1),
        create("tabddpm", random_state=0, device="cpu", steps=300).fit(MIXED, [1]).sample(1, 600),
    )
    np.testing.assert_allclose(np.isnan(made).mean(0), np.isnan(own).mean(0), atol=0.1)


@pytest.mark.parametrize(("numbers", "categories"), [(2, 0), (0, 3)])
def test_numbers_alone_and_categories_alone_have_one_loss(numbers, categories):
    generator = few().fit(toy((20, 8), numbers, categories), [1])
    assert len(generator.sample(1, 5)) == 5
    assert set(generator.history[-1]) == {"step", "number_loss" if numbers else "category_loss"}


def test_same_seed_same_rows():
    first, again, other = (few(seed).fit(MIXED, [1]).sample(1, 20) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other, equal_nan=True)


def test_what_was_stored_makes_the_same_rows(tmp_path):
    generator = few().fit(MIXED, [1])
    save_state(tmp_path, generator.state())
    again = few().restore(MIXED, open_state(tmp_path))
    np.testing.assert_array_equal(again.sample(1, 20), generator.sample(1, 20))


def test_an_interrupted_fit_goes_on_where_it_was(tmp_path, monkeypatch):
    whole = few(steps=48).fit(MIXED, [1])
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    broken, resumed = (few(steps=48) for _ in range(2))
    broken.workdir = resumed.workdir = tmp_path
    broken.progress = killed_at(40)
    with pytest.raises(KilledError):
        broken.fit(MIXED, [1])
    seen = []
    resumed.progress = lambda done, total: seen.append(done)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed.fit(MIXED, [1])
    assert seen == [48], "it did not start over"
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.sample(1, 4), whole.sample(1, 4))


def test_a_class_without_rows_is_refused():
    with pytest.raises(CannotFill, match="no rows to learn from in class class 1"):
        few().fit(toy((9, 0, 5)), [1])


def test_divergence_is_told():
    with pytest.raises(FillbenchError, match=r"--set tabddpm\.lr="):
        few(steps=40, lr=1e30).fit(MIXED, [1])
