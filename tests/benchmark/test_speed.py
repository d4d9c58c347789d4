from __future__ import annotations

import time
from importlib.util import find_spec

import pytest
import torch
from click.testing import CliRunner

from fillbench.benchmark.speed import classifier, ctgan
from fillbench.benchmark.speed.__main__ import main
from fillbench.benchmark.speed.turns import in_turns


def test_ways_take_turns_and_the_first_round_warms_up():
    calls = []

    def way(name, rates):
        def call():
            calls.append(name)
            return next(rates)

        return call

    found = in_turns({"plain": way("plain", iter([9, 1, 2, 4])), "ours": way("ours", iter([9, 4, 4, 4]))})
    assert calls == ["plain", "ours"] * 4
    assert found["images_per_second"] == {"plain": 2, "ours": 4}
    assert (found["ratio"], found["ratio_range"]) == (2, [1, 4])


def test_the_notebooks_loop_and_ours_train_the_same_network_but_for_taps_that_meet_padding(monkeypatch):
    monkeypatch.setattr(classifier, "BATCH", 4)
    found = classifier.measure(torch.device("cpu"), {(8, 8, 1): 1})["images"]["8x8x1"]
    assert found["weights"]["fillbench"] < found["weights"]["notebook"] == 11172810
    assert all(rate > 0 for rate in found["images_per_second"].values())


def test_the_clock_of_a_training_starts_at_its_first_step():
    def fit():
        time.sleep(0.2)
        weight = torch.nn.Parameter(torch.ones(1))
        for _ in range(3):
            weight.grad = torch.ones(1)
            torch.optim.SGD([weight]).step()

    before, seconds = ctgan.clocked(fit, torch.device("cpu"))
    assert 0 < seconds < 0.2 <= before


@pytest.mark.skipif(find_spec("ctgan") is not None, reason="the package ctgan is installed")
def test_the_package_that_ctgan_is_measured_against_is_asked_for():
    told = CliRunner().invoke(main, ["--what", "ctgan", "--device", "cpu"])
    assert (told.exit_code, told.output) == (
        1,
        "Error: there is no package 'ctgan' to measure against: pip install ctgan\n",
    )


def test_ctgan_and_the_package_train_networks_of_about_the_same_size():
    pytest.importorskip("ctgan", reason="the package ctgan is not installed")
    weights = ctgan.measure(torch.device("cpu"), rows=2000)["weights"]
    assert weights["fillbench"] == pytest.approx(weights["package"], rel=0.1)
