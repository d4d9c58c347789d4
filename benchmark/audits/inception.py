"""FID, KID, precision and recall as papers have them: by the Inception network that FID is named after.

torch-fidelity brings the network, precision and recall; torchmetrics the distances. Weights are never fetched for an
audit. Unlike our own figures these compare with the real *training* images of the class, as papers do.
"""

from __future__ import annotations

import importlib.util
import tempfile
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...datasets.base import Images
from .base import Entry, Figure
from .quality import FEWEST, fid, kid

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{WEIGHTS}"
AT_ONCE = 64
NEIGHBOURS = 3  # Kynkäänniemi et al. 2019
NAMES = ("fid_inception", "kid_inception", "precision_inception", "recall_inception")


def weights() -> Path:
    """Where torch-fidelity keeps its weights."""
    return Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS


def lacking() -> str:
    """What would fill these figures; '' where they can be had."""
    needed = [] if importlib.util.find_spec("torch_fidelity") else ["pip install torch-fidelity"]
    place = str(weights()).replace(str(Path.home()), "~", 1)
    needed += [] if weights().is_file() else [f"curl --create-dirs -Lo {place} {URL}"]
    return " && ".join(needed)


def figures() -> tuple[Figure, ...]:
    """The columns, with what would fill them."""
    filled_by = f" Empty here; what fills it: {lacking()}" if lacking() else ""
    note = "by Inception, beside all training {plural} of the class, as papers have it." + filled_by
    return (
        Figure("fid_inception", "FID (Inception)", digits=1, note=f"FID {note}"),
        Figure("kid_inception", "KID (Inception)", digits=3, note=f"KID {note}"),
        Figure("precision_inception", "Precision (Inception)", column=False),
        Figure("recall_inception", "Recall (Inception)", column=False),
    )


def as_published(made: Images, real: Images, device: torch.device) -> Entry:
    """NAMES of images (N, H, W, 3), (M, H, W, 3) uint8 of any size; None where the weights, or enough images, lack."""
    if lacking() or min(len(made), len(real)) < FEWEST:
        return dict.fromkeys(NAMES)
    from torch_fidelity.metric_prc import prc_features_to_metric

    features, others = _features(made, device), _of_real(real.tobytes(), real.shape, device)
    shares = prc_features_to_metric(features, others, prc_neighborhood=NEIGHBOURS, save_cpu_ram=True, verbose=False)
    values = (fid(features, others), kid(features, others)["kid"], shares["precision"], shares["recall"])
    return dict(zip(NAMES, values, strict=True))


@lru_cache(maxsize=16)
def _of_real(content: bytes, shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Features of real images, which many arms are compared with."""
    return _features(np.frombuffer(content, np.uint8).reshape(shape), device)


@torch.inference_mode()
def _features(images: Images, device: torch.device) -> torch.Tensor:
    """(N, 2048) float32."""
    network, found = _network(device), []
    for start in range(0, len(images), AT_ONCE):
        part = torch.from_numpy(np.array(images[start : start + AT_ONCE])).to(device).permute(0, 3, 1, 2)
        found.append(network(part)[0].float())
    return torch.cat(found)


@cache
def _network(device: torch.device) -> Any:
    """torch-fidelity would read the file as a pickle, so it is given a copy of the tensors alone."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    with tempfile.TemporaryDirectory() as folder:
        checked = Path(folder) / WEIGHTS
        torch.save(torch.load(weights(), weights_only=True), checked)
        network = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(checked))
    return network.to(device).eval()
