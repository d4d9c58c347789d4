from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fillbench import cli

ROOT = Path(__file__).parents[1]


def benchmark(capfd, *words: str) -> tuple[int, str, str]:
    """Exit status, output and errors of the command."""
    old, sys.argv = sys.argv, ["benchmark", *words]
    try:
        with pytest.raises(SystemExit) as end:
            cli.main()
    finally:
        sys.argv = old
    out, err = capfd.readouterr()
    return int(end.value.code or 0), out, err


def test_help_answers_at_once():
    words = [sys.executable, "-c", "from fillbench.cli import main; main()", "--help"]
    subprocess.run(words, check=True, capture_output=True)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5


def test_no_heavy_library_is_imported_for_help():
    code = "import sys, fillbench, fillbench.cli; print({'torch', 'pandas', 'yaml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


REFUSED = (
    ("--generators", "dcgna"),
    ("--set", "dcgan.stepz=5"),
    ("--set", "dcgan.steps=many"),
    ("--set", "stable-diffusion-lora.rankk=5"),
    ("--set", "classifier.lrr=0.1"),
    ("--set", "classifier.lr=-1"),
    ("--dataset", "digit"),
    ("--minority", "99"),
    ("--keep", "2.5"),
    ("--minority", "8", "--keep", "9999"),
    ("--strategies", "cee"),
    ("--preset", "digit"),
    ("--plugin", "missing.py"),
)
OTHERS = [
    ("check", "dcgna"),
    ("check", "missing.py"),
    ("export", str(ROOT / "results" / "digits"), "--arm", "dcgna", "--to", "out"),
    ("export", "missing", "--arm", "dcgan", "--to", "out"),
    ("serve", "missing"),
]


def test_no_heavy_library_is_imported_to_refuse_wrong_input(tmp_path):
    code = (
        "import sys\n"
        "from fillbench.cli import main\n"
        f"for words in {[('run', *flags) for flags in REFUSED] + OTHERS}:\n"
        "    sys.argv = ['benchmark', *words]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as end:\n"
        "        assert end.code == 2, words\n"
        "print({'torch', 'sklearn', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.count("benchmark: ") == len(REFUSED) + len(OTHERS)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--dataset", "digit"], "did you mean 'digits'?"),
        (["run", "--set", "wgan-gp.stepz=5"], "generator 'wgan-gp' has no setting 'stepz'; did you mean 'steps'?"),
        (["run", "--set", "wgan-gp.steps=0"], "generator 'wgan-gp': steps = '0' will not do: Input should be greater"),
        (["run", "--strategies", "mixupp"], "unknown strategy 'mixupp'; did you mean 'mixup'?"),
        (["run", "--generators", "dcgna"], "did you mean 'dcgan'?"),
        (["run", "--preset", "cifar10-tree"], "did you mean 'cifar10-three'?"),
        (["run", "--minority", "11"], "there is no class '11'"),
        (["run", "--keep", "0"], "--keep 0"),
        (["run", "--keep", "-5"], "--keep -5"),
        (["run", "--minority", "8", "--keep", "9999"], "more than the 87"),
        (["run", "--classifier", "resnet19"], "unknown classifier 'resnet19'"),
        (["run", "--dataset", "npz:/nowhere.npz"], "does not exist"),
        (["run", "--dataset", "folder:/nowhere"], "does not exist"),
        (["run", "--kepe", "3"], "--keep"),
        (["run", "--size", "16"], "--size"),
        (["report", "/nowhere"], "/nowhere"),
        (["export", "/nowhere", "--arm", "x", "--to", "/tmp/x"], "no run folder"),
        (["check", "smot"], "did you mean 'smote'?"),
        (["check", "none.py"], "does not exist"),
        (["list", "models"], "generators"),
    ],
)
def test_wrong_input_ends_with_one_clear_message_and_no_traceback(capfd, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    status, out, err = benchmark(capfd, *words)
    assert status == 2
    assert message in err
    assert "Traceback" not in out + err
    assert not list(tmp_path.iterdir()), "nothing was written"


@pytest.mark.parametrize("what", ["generators", "datasets", "presets", "classifiers"])
def test_lists_have_a_line_for_each_and_json(capfd, what):
    status, out, _ = benchmark(capfd, "list", what)
    assert status == 0
    _, as_json, _ = benchmark(capfd, "list", what, "--json")
    found = json.loads(as_json)
    assert len(out.splitlines()) == len(found)
    if what != "classifiers":
        assert all(found.values()), "each says what it is"


def test_check_passes_a_good_generator_and_names_what_a_bad_one_breaks(capfd, tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "import numpy as np\n"
        "from fillbench.generators import Generator, register\n"
        "@register('unseeded')\n"
        "class Unseeded(Generator):\n"
        "    'Draws from its own, unseeded source.'\n"
        "    def _fit(self, train, labels):\n"
        "        self.shape = train.x.shape[1:]\n"
        "        train.x[:] = 0\n"
        "    def _sample(self, label, count):\n"
        "        return np.random.default_rng().integers(0, 256, (count, *self.shape)).astype(np.uint8)\n"
    )
    status, out, _ = benchmark(capfd, "check", "oversample")
    assert status == 0
    assert "FAIL" not in out
    status, out, _ = benchmark(capfd, "check", str(bad))
    assert status == 1
    assert out.count("FAIL") == 2
    assert "draw from self.rng" in out
    assert "changed its training images" in out


def test_compare_tells_what_is_lacking(capfd, tmp_path):
    status, _, err = benchmark(capfd, "compare", "/nowhere", "--out", str(tmp_path / "out"))
    assert status == 2
    assert "'/nowhere' is no run folder: it does not exist" in err
    status, _, err = benchmark(capfd, "compare")
    assert status == 2
    assert "RUN_DIR" in err
    assert not list(tmp_path.iterdir())


def test_compare_prints_the_sentence_and_where_the_rest_is(capfd, tmp_path):
    for run in ("a", "b"):
        copy = shutil.copytree(ROOT / "results" / "seeds", tmp_path / run)
        about = json.loads((copy / "run.json").read_text())
        about["dataset"] |= {"name": run, "fingerprint": run}
        (copy / "run.json").write_text(json.dumps(about))
    status, out, _ = benchmark(capfd, "compare", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "c"))
    assert status == 0
    assert out.startswith("2 data sets describe; it takes 6 to test. cgan (flagged: wrong label) has the largest")
    assert out.endswith(f"{tmp_path / 'c' / 'comparison.md'}\n")
