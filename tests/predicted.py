"""Runs whose test probabilities or recalls are made up: what no generator can be told to do."""

import numpy as np

from fillbench.records import cell_name

TESTED = 100  # images of each class, as the fake run has
RARE = 3


def predictions(rng, seeds, margin=2.0, bias=-1.0, classes=4, by_seed=0.1, difficulty=0.0):
    """Probabilities (S, N, K): the true class is `margin` ahead (the rare one) or 3; the rare class has the `bias`."""
    labels = np.repeat(np.arange(classes), TESTED)
    scores = rng.normal(size=(seeds, len(labels), classes)) + rng.normal(0, 0.5, (1, len(labels), classes))
    scores += difficulty
    ahead = np.where(labels == RARE, margin, 3.0)[None] + by_seed * rng.normal(size=(seeds, 1))
    scores[:, np.arange(len(labels)), labels] += ahead
    scores[..., RARE] += bias
    return softmax(scores)


def softmax(scores):
    odds = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (odds / odds.sum(axis=-1, keepdims=True)).astype(np.float32)


def all_rare(probabilities):
    """The same, but every example is called the rare class."""
    found = np.full_like(probabilities, 1e-4)
    found[..., RARE] = 1
    return found


def written(fake, arms, **options):
    """A run with such predictions, by arm; roles are those of the fake run's names."""
    first = next(iter(arms.values()))
    run = fake(
        **options, classes=4, seeds=range(len(first)), minority=[RARE], arms=[(name, 0.5, ()) for name in arms]
    ).plan()
    for name, by_seed in arms.items():
        for seed, probabilities in enumerate(by_seed):
            run.cell(name, seed)
            file = run.path / "predictions" / f"{cell_name(name, seed)}.npz"
            np.savez_compressed(file, probabilities=probabilities[None])
    return run


def filled(fake, recalls, **options):
    """A run whose minority recalls are given as {arm: [by seed]}."""
    seeds = range(len(next(iter(recalls.values()))))
    run = fake(seeds=seeds, arms=[(arm, 0, ()) for arm in recalls], **options).plan()
    for arm, values in recalls.items():
        for seed, value in enumerate(values):
            run.cell(arm, seed, recall=value)
    return run
