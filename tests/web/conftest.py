import pytest

from fillbench.tests.fake_run import FakeRun


@pytest.fixture
def fake(tmp_path):
    """Starts a fake run: fake(classes=…, seeds=…, arms=…), in a folder of this name."""
    return lambda folder="run", **options: FakeRun(tmp_path / folder, **options)
