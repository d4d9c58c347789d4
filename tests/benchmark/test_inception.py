"""FID and kin by Inception: with random weights of the right shape, which say nothing, but go the whole way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fillbench.benchmark.audits import auditor_of
from fillbench.benchmark.audits.inception import NAMES, as_published, lacking, weights
from fillbench.datasets.images import toy

CPU = torch.device("cpu")
IMAGES = np.random.default_rng(0).integers(0, 256, (42, 9, 12, 3), dtype=np.uint8)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty hub of PyTorch."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def random_weights(hub, monkeypatch):
    extractor = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    network = extractor.FeatureExtractorInceptionV3
    with monkeypatch.context() as patch:  # a network that has not been given any weights yet
        patch.setattr(extractor, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(network, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        state = network("random", ["2048"]).state_dict()
    for value in state.values():
        if value.ndim == 4:  # or features would be next to nothing
            torch.nn.init.kaiming_normal_(value, nonlinearity="relu")
    weights().parent.mkdir(parents=True)
    torch.save(state, weights())


def test_without_weights_the_figures_are_empty_and_the_report_says_what_fills_them(hub):
    auditor = auditor_of("images").of(toy((9, 12, 3)))
    assert as_published(IMAGES, IMAGES, CPU) == dict.fromkeys(NAMES)
    assert "curl" in lacking()
    assert [figure.name for figure in auditor.figures] == [*NAMES]
    assert all("what fills it: " in figure.note for figure in auditor.figures[:2])


def test_grey_images_have_no_such_columns():
    assert auditor_of("images").of(toy((9, 12, 1))).figures == ()


def test_the_figures_are_those_of_the_networks_features(random_weights):
    bright = (IMAGES // 4 + 190).astype(np.uint8)
    found = as_published(bright, IMAGES, CPU)
    assert lacking() == ""
    assert found["precision_inception"] < 0.5
    assert found["recall_inception"] < 0.5
    assert found["kid_inception"] > 0
    assert found["fid_inception"] is None, "it needs more than 2,048 images"
    assert as_published(IMAGES[:9], IMAGES, CPU) == dict.fromkeys(NAMES), "too few"


def test_a_file_of_weights_that_would_run_code_is_not_loaded(hub):
    pytest.importorskip("torch_fidelity")

    class Code:
        def __reduce__(self):
            return print, ("code was run",)

    weights().parent.mkdir(parents=True)
    torch.save({"code": Code()}, weights())
    from fillbench.benchmark.audits import inception

    inception._network.cache_clear()
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        as_published(IMAGES, IMAGES, CPU)
