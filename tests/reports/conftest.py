"""A fake run, and the default one with its report."""

import pytest

from fillbench.tests.fake_run import FakeRun


@pytest.fixture
def fake(tmp_path):
    """Starts a fake run: fake(classes=…, seeds=…, arms=…), in a folder of this name."""
    return lambda folder="run", **options: FakeRun(tmp_path / folder, **options)


@pytest.fixture(scope="session")
def default_run(tmp_path_factory):
    """The default run, with its report written once for all tests that only read it."""
    from fillbench.reports import write_report

    run = FakeRun(tmp_path_factory.mktemp("default") / "run").default()
    board = write_report(run.path)
    return run.path, board
