"""A run's folder: what it was told, on what machine, and every record."""

from __future__ import annotations

import json
import platform
import shlex
from dataclasses import asdict, fields
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..disk import write_arrays, write_atomically
from ..errors import FillbenchError, why
from ..records import SCHEMA, TEST_SAMPLES, Description, read_run
from ..reports import metrics
from .audits import auditor_of, flags
from .codeversion import versions
from .config import RunConfig, in_commas, resolve
from .data import Data
from .hardware import hardware
from .plan import Plan

SHOWN_TESTS, SHOWN_BYTES = 100, 4_000_000  # of a rare class, and of all of them


def command_of(config: RunConfig) -> str:
    """The command that repeats a run: every setting that is not the default of its data set, spelled out."""
    words = ["benchmark", "run", "--generators", ",".join(config.generators)]
    defaults = RunConfig(), resolve({"dataset": config.dataset})
    for f in fields(RunConfig):
        value = getattr(config, f.name)
        if f.name in ("generators", "set", "workers", "cache", "out") or value is None:
            continue
        if f.name != "dataset" and all(value == getattr(default, f.name) for default in defaults):
            continue
        name = "--" + f.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(name)
        elif f.name == "plugin":
            words += [word for path in value for word in (name, path)]
        else:
            words += [name, in_commas(value) if isinstance(value, tuple) else str(value)]
    for name, own in config.set.items():
        for key, value in own.items():
            words += ["--set", f"{name}.{key}={value}"]
    return shlex.join(words)


def describe(plan: Plan) -> Description:
    """The content of run.json."""
    split, traits = plan.data.split, plan.data.split.train.traits
    return {
        "schema": SCHEMA,
        "fillbench": version("fillbench"),
        "command": command_of(plan.config),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "kind": traits.kind,
        "noun": traits.noun,
        "plural": traits.plural,
        "seeds": list(plan.data.manifests),
        "config": {**_plain(plan.config), "cache": _absolute(plan.config.cache)},
        "dataset": {
            "name": split.name,
            "class_names": list(split.train.class_names),
            "shape": list(split.train.shape),
            "train_counts": split.train.counts().tolist(),
            "test_counts": split.test.counts().tolist(),
            "fingerprint": plan.data.manifests[0].dataset,
            "minority": list(plan.data.minority),
            "test_labels": " ".join(map(str, split.test.labels.tolist())),
            "reading": split.reading,
            **traits.described(),
        },
        "deficits": {str(label): count for label, count in plan.data.deficits.items()},
        "metrics": metrics.described(lambda text: text.format(noun=traits.noun, plural=traits.plural)),
        "audit": flags.described(auditor_of(traits.kind).of(split.train), traits),
        "arms": [
            {
                "name": arm.name,
                "source": arm.source,
                "strategy": arm.strategy,
                "role": arm.role,
                "external_data": arm.external_data,
                "summary": arm.summary,
                "settings": arm.settings,
            }
            for arm in plan.arms
        ],
        "manifests": {str(seed): manifest.sha256 for seed, manifest in plan.data.manifests.items()},
        "classifier": {"name": plan.classifier.model, **_plain(plan.classifier)},
        "versions": {"python": platform.python_version(), **versions()},
        "hardware": {**hardware(plan.device), "workers": plan.workers, "threads": plan.threads},
    }


def _plain(config: Any) -> dict[str, Any]:
    """A dataclass as JSON would give it back: tuples are lists."""
    return json.loads(json.dumps(asdict(config)))


def open_run(plan: Plan) -> Path:
    """Makes the run's folder with run.json and the manifests, or takes up a former one of the same settings.

    Raises FillbenchError when the folder belongs to other settings, or cannot be written.
    """
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    path = Path(plan.config.out or f"runs/{plan.data.split.name}-{stamp}").expanduser()
    description = describe(plan)
    try:
        for folder in ("cells", "predictions", "samples", "manifests"):
            (path / folder).mkdir(parents=True, exist_ok=True)
        planned: list[int] = []
        if (path / "run.json").is_file():
            former = read_run(path)
            _same_settings(former, path, plan)
            planned = former.get("planned_seeds", [len(former["seeds"])])
        description["planned_seeds"] = list(dict.fromkeys([*planned, plan.config.seeds]))
        for seed, manifest in plan.data.manifests.items():
            write_atomically(path / "manifests" / f"seed{seed}.json", manifest.to_json())
        write_arrays(path / TEST_SAMPLES, _tests_to_show(plan.data))
        write_atomically(path / "run.json", json.dumps(description, indent=1, allow_nan=False))
    except OSError as error:
        raise FillbenchError(f"run folder '{path}' cannot be written ({why(error)}); choose another --out") from None
    return path


def _tests_to_show(data: Data) -> dict[str, NDArray[Any]]:
    """Some test examples of every rare class, evenly spaced, for the report: which they are, and themselves."""
    test, found = data.split.test, dict[str, NDArray[Any]]()
    most = max(1, min(SHOWN_TESTS, SHOWN_BYTES // (len(data.minority) * test.x[:1].nbytes)))
    for label in data.minority:
        own = np.flatnonzero(test.labels == label)
        spots = own[:: max(1, -(-len(own) // most))]
        found |= {f"index_{label}": spots, f"test_{label}": np.asarray(test.x[spots])}
    return found


def _same_settings(former: Description, path: Path, plan: Plan) -> None:
    """Seeds may be added: what is done stays. Raises FillbenchError."""
    known = {f.name for f in fields(RunConfig)}
    before = {key: value for key, value in former["config"].items() if key in known}
    now = _plain(plan.config)
    for key in RunConfig.where_and_how:
        before.pop(key, None)
        now.pop(key)
    if now["seeds"] > before["seeds"]:
        now["seeds"] = before["seeds"]
    differing = [key for key in now if before.get(key) != now[key]]
    if differing:
        key = differing[0]
        raise FillbenchError(
            f"run folder '{path}' belongs to another configuration: there, {key.replace('_', '-')} is "
            f"{before.get(key)!r}, here it is {now[key]!r}; choose another --out"
        )
    if former["dataset"]["fingerprint"] != plan.data.manifests[0].dataset:
        raise FillbenchError(
            f"the {former['plural']} of {plan.data.split.name} changed since run folder '{path}' was made; "
            "choose another --out"
        )


def _absolute(folder: str) -> str:
    """So that it is found from another working folder; a home stays a ~."""
    return folder if folder.startswith("~") else str(Path(folder).absolute())
