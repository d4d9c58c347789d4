from __future__ import annotations

import torch

from fillbench.benchmark.speed import classifier
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
