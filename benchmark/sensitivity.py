"""The leading arms and the controls of a run, planned again at half and twice the learning rate and the steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import FillbenchError
from ..reports.records import Run
from ..reports.sensitivity import FOLDER, VARIANTS, Variant, trained_again
from .config import RunConfig
from .plan import Plan


def check(plan: Plan) -> None:
    """Raises FillbenchError where the classifier has no learning rate or no steps."""
    for name in dict.fromkeys(variant.setting for variant in VARIANTS.values()):
        if getattr(plan.classifier, name, None) is None:
            raise FillbenchError(
                f"--sensitivity has no meaning for {plan.data.split.train.traits.plural}: "
                f"{plan.classifier.model} has no {name}"
            )


def variants(plan: Plan, leaderboard: pd.DataFrame, run_dir: Path) -> Iterator[Plan]:
    """A plan for each variant, in a folder of its own in the run's; none where no arm leads. Fills and audits stay as
    they are, so only classifiers are trained."""
    names = trained_again(Run.read(run_dir), leaderboard)
    if not names:
        return
    arms = [arm for arm in plan.arms if arm.name in names]
    for folder, variant in VARIANTS.items():
        value = _value(plan.classifier, variant)
        out = str(run_dir / FOLDER / folder)
        yield replace(
            plan,
            config=_config(plan.config, variant.setting, value, out),
            arms=arms,
            classifier=replace(plan.classifier, **{variant.setting: value}),
            warnings=[],
        )


def _value(classifier: Any, variant: Variant) -> Any:
    value = getattr(classifier, variant.setting) * variant.factor
    return max(1, int(value)) if variant.setting == "steps" else value


def _config(config: RunConfig, setting: str, value: Any, out: str) -> RunConfig:
    """What a variant is told, as its command would tell it; what no verdict needs is left out."""
    plain = replace(config, out=out, sensitivity=False, keep_models=False, tstr=False)
    if setting == "steps":
        return replace(plain, steps=value)
    own = {**config.set.get("classifier", {}), setting: value}
    return replace(plain, set={**config.set, "classifier": own})
