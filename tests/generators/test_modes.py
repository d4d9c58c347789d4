"""Mode-specific normalisation, and rows drawn by their categories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fillbench.datasets.tables import TableTraits, toy
from fillbench.generators.conditions import Conditions
from fillbench.generators.modes import ModeEncoder, softened

CPU = torch.device("cpu")
TOYS = {**TableTraits.toys(), "many rows": toy((4000, 2000), 4, 3, missing=True), "one column": toy((9, 3), 1, 0)}


def bimodal(rows=600):
    """Two numbers: one about -5 or 5, one, of whole ones, about 0."""
    rng = np.random.default_rng(0)
    train = toy((rows, 6, 6), 2, 0)
    x = np.stack([rng.choice([-5, 5], len(train)) + rng.normal(size=len(train)), 100 * rng.normal(size=len(train))], 1)
    return replace(train, x=np.stack([x[:, 0], x[:, 1].round()], 1).astype(np.float32))


@pytest.mark.parametrize("what", TOYS)
def test_rows_come_back_from_the_modes_of_their_numbers(what):
    train = TOYS[what]
    encoder = ModeEncoder.fit(train)
    encoded = encoder.encode(train.x, CPU)
    assert (encoded.dtype, encoded.shape) == (torch.float32, (len(train), encoder.size))
    back, numbers = encoder.decode(encoded), ~train.traits.categorical
    np.testing.assert_array_equal(back[:, ~numbers], train.x[:, ~numbers])
    np.testing.assert_array_equal(np.isnan(back), np.isnan(train.x))
    off = np.abs(back - train.x)[:, numbers] / np.nanstd(train.x[:, numbers], axis=0)
    assert np.nanmax(off, initial=0) < 1e-4


def test_a_number_is_told_by_its_mode_and_its_place_within():
    encoder = ModeEncoder.fit(bimodal())
    two, _ = encoder.mixtures
    heavy = two[:, two[0] > 0.1]
    assert sorted((heavy[1] * encoder.coding.std[0] + encoder.coding.mean[0]).round()) == pytest.approx([-5, 5], abs=1)
    encoded = encoder.encode(bimodal().x, CPU)
    assert (encoded[:, : encoder.numbers].abs() <= 1).float().mean() > 0.99
    assert all((encoded[:, segment].sum(1) == 1).all() for segment in encoder.segments)


def test_few_rows_have_few_modes_and_one_value_has_one():
    few = bimodal(100)
    assert all(mixture.shape[1] <= 3 for mixture in ModeEncoder.fit(few).mixtures)
    constant = replace(few, x=few.x * np.array([0, 1], np.float32) + 7)
    encoder = ModeEncoder.fit(constant)
    assert encoder.mixtures[0].shape == (3, 1)
    assert (encoder.decode(encoder.encode(constant.x, CPU))[:, 0] == 7).all()


def test_softened_segments_are_nearly_one_hot_and_keep_their_shares():
    torch.manual_seed(0)
    shares = torch.tensor([1.0, 0.9, 0.1, 0.2, 0.3, 0.5])
    made = softened(shares.log().repeat(4000, 1), (1, 2, 3), 0.2)
    for part, wanted in zip(made.split([1, 2, 3], 1), shares.split([1, 2, 3]), strict=True):
        torch.testing.assert_close(part.sum(1), torch.ones(4000))
        drawn = torch.bincount(part.argmax(1), minlength=len(wanted)) / 4000
        torch.testing.assert_close(drawn, wanted, atol=0.03, rtol=0)


def test_rows_are_drawn_by_a_category_that_they_hold_each_column_alike_and_rare_ones_oftener():
    torch.manual_seed(0)
    first = torch.eye(2)[torch.tensor([0] * 90 + [1] * 10)]
    second = torch.eye(4)[torch.arange(100) % 3]  # nobody holds the last
    rows = torch.cat([torch.randn(100, 1), first, second], 1)
    conditions = Conditions.of(rows, [slice(1, 3), slice(3, 7)])
    drawn, real = conditions.draw(6000)
    assert (real.gather(1, conditions.places[drawn, None]) == 1).all()
    shares = torch.bincount(drawn, minlength=6) / 6000
    logs = np.log([91, 11])
    wanted = [*(logs / logs.sum() / 2), 1 / 6, 1 / 6, 1 / 6, 0]
    torch.testing.assert_close(shares, torch.tensor(wanted, dtype=torch.float32), atol=0.02, rtol=0)
    assert len(real[drawn == 1].unique(dim=0)) == 10, "each row that holds it can be drawn"
