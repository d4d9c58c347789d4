from __future__ import annotations

from dataclasses import dataclass

import pytest

from fillbench import FillbenchError
from fillbench.benchmark import plan as module
from fillbench.benchmark.config import resolve
from fillbench.benchmark.data import prepare
from fillbench.benchmark.plan import make_plan
from fillbench.classifiers.images import FEWEST_STEPS, ImageTrainer
from fillbench.classifiers.strategies import STRATEGIES


def planned(config):
    return make_plan(config, prepare(config))


def plan_of(npz, **flags):
    return planned(resolve({"dataset": f"npz:{npz}", "device": "cpu", "controls": "none", **flags}))


def test_all_is_every_generator_whose_required_settings_are_given(npz, tmp_path):
    names = [arm.name for arm in plan_of(npz).arms]
    assert names[:2] == ["none", "full"]
    assert {"oversample", "dcgan", "adasyn", "smote-gan"} <= set(names)
    assert "from-files" not in names, "it has no path"
    assert "from-files" in [arm.name for arm in plan_of(npz, set=(f"from-files.path={tmp_path}",)).arms]


def test_a_model_that_is_not_to_be_had_is_a_skipped_row_under_all_and_an_error_by_name(npz):
    skips = {arm.name: arm.skip for arm in plan_of(npz).arms if arm.skip}
    assert set(skips) == {"full", "stable-diffusion", "stable-diffusion-lora", "real-guidance", "diff-mix"}
    assert "fetch them with: hf download stable-diffusion-v1-5/stable-diffusion-v1-5" in skips["stable-diffusion"]
    with pytest.raises(FillbenchError, match=r"'stable-diffusion' cannot run here: the weights of \S+ are not here"):
        plan_of(npz, generators="stable-diffusion")


def test_what_auto_means_is_decided_and_recorded_before_anything_is_run():
    (arm,) = planned(resolve({"generators": "stable-diffusion", "device": "cpu", "controls": "none"})).arms[2:]
    assert arm.settings["model"] == "embedded"


def test_natural_imbalance_is_used_as_it_is_and_full_says_why_it_is_skipped(npz):
    plan = plan_of(npz, generators="smote")
    assert plan.data.minority == (2,)
    assert plan.data.deficits == {2: 18}
    assert len(plan.data.manifests[0].kept) == 50
    assert "imbalanced by nature" in plan.arms[1].skip


def test_thinning_makes_full_a_ceiling_and_all_arms_share_a_manifest_per_seed(npz):
    plan = plan_of(npz, generators="smote", minority="middle", keep="4", seeds="2")
    assert plan.arms[1].skip is None
    assert plan.data.deficits == {1: 20}
    assert plan.data.manifests[0].sha256 != plan.data.manifests[1].sha256
    assert [(arm.name, seed) for arm, seed in plan.cells][:4] == [("none", 0), ("full", 0), ("smote", 0), ("none", 1)]


def test_the_cheap_controls_are_there_unless_they_are_left_out(npz):
    def arms(**flags):
        return [arm.name for arm in plan_of(npz, generators="smote", **flags).arms]

    losses = ["none+balanced-softmax", "none+class-balanced", "none+logit-adjustment"]
    cheap = ["none", "full", *losses, "oversample", "smote"]
    assert arms(controls="none") == ["none", "full", "smote"]
    assert arms(controls="cheap") == cheap
    strategies = [f"none+{name}" for name in STRATEGIES.names() if name != "ce"]
    assert arms(controls="all") == ["none", "full", *strategies, "oversample", "smote"]
    by_name = {arm.name: arm for arm in plan_of(npz, generators="smote", controls="all").arms}
    assert {name: arm.role for name, arm in by_name.items() if arm.role != "control"} == {
        "none": "floor",
        "full": "ceiling",
        "smote": "filled",
    }


def test_every_strategy_is_combined_with_every_generator_and_with_none(npz):
    plan = plan_of(npz, generators="smote,adasyn", strategies="ce,balanced-softmax")
    combined = ["smote", "smote+balanced-softmax", "adasyn", "adasyn+balanced-softmax"]
    assert [arm.name for arm in plan.arms] == ["none", "full", "none+balanced-softmax", *combined]
    without = plan_of(npz, generators="oversample", strategies="mixup", controls="cheap").arms
    losses = ["none+balanced-softmax", "none+class-balanced", "none+logit-adjustment"]
    assert [arm.name for arm in without] == ["none", "full", *losses, "none+mixup", "oversample", "oversample+mixup"]


def test_what_a_control_is_is_said_by_its_class_and_it_is_run_on_the_data_that_it_takes(npz, tmp_path, monkeypatch):
    from fillbench.generators.base import _REGISTRY

    monkeypatch.setattr(_REGISTRY, "_classes", dict(_REGISTRY._classes))
    path = tmp_path / "remedy.py"
    path.write_text(
        HEAD.format(body="control = True")
        + HEAD.format(body="control, kinds = True, ('tables',)").replace("odd", "rows")
    )
    arms = {arm.name: arm.role for arm in plan_of(npz, generators="smote", controls="cheap", plugin=(str(path),)).arms}
    assert {name for name, role in arms.items() if role == "control" and "+" not in name} == {"oversample", "odd"}
    assert "odd" not in [arm.name for arm in plan_of(npz, generators="smote", plugin=(str(path),)).arms]


def test_the_classifiers_steps_follow_the_size_of_the_full_set_unless_given(npz):
    assert plan_of(npz).classifier.steps == FEWEST_STEPS
    assert plan_of(npz, steps="7").classifier.steps == 7
    assert plan_of(npz, set=("classifier.batch_size=2",)).classifier.steps == 15 * 25


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"strategies": "mixupp"}, "--strategies: unknown strategy 'mixupp'; did you mean 'mixup'?"),
        ({"controls": "some"}, "controls = 'some' will not do"),
        ({"sensitivity": True, "seeds": "2"}, "there are none with --seeds 2: give 3 or more"),
        ({"classifier_seeds": "0"}, "--classifier-seeds 0 will not do: give 1 or more"),
        ({"generators": "smot"}, "'smote'"),
        ({"generators": "from-files"}, "needs its setting 'path'"),
        ({"generators": "all", "set": ("from-files.pth=x",)}, "no setting 'pth'; did you mean 'path'?"),
        ({"generators": "from-files", "set": ("from-files.path=/nowhere",)}, "cannot run here.*does not exist"),
        ({"minority": "rigth", "keep": "3"}, "'right'"),
        ({"minority": "left", "keep": "25"}, "more than the 24"),
        ({"minority": "left", "keep": "0"}, "--keep 0"),
        ({"minority": "left", "keep": "1"}, "write 1.0 for all of the class, or 2 or more"),
        ({"minority": "left"}, "nothing to fill"),
        ({"set": ("dcgna.steps=3",)}, "'dcgan'"),
        ({"set": ("dcgan.stepz=3",)}, "'steps'"),
        ({"set": ("dcgan.steps=0",)}, "steps = '0'"),
        ({"set": ("dcgan.steps=3",), "generators": "smote"}, "not among the generators"),
        ({"set": ("classifier.lr=fast",)}, "lr = 'fast'"),
        ({"set": ("classifier.steps=3",)}, "give --steps"),
        ({"device": "tpu9"}, "device 'tpu9'"),
        ({"plugin": ("none.py",)}, "does not exist"),
    ],
)
def test_what_will_not_do_is_told_before_any_work(npz, flags, message):
    with pytest.raises(FillbenchError, match=message):
        plan_of(npz, **flags)


def test_the_number_of_workers_changes_no_threads_up_to_four(monkeypatch):
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    cpu = module.torch.device("cpu")
    assert [module._parallel(n, cpu, 99) for n in (1, 2, 4, 8)] == [(1, 2), (2, 2), (4, 2), (8, 1)]
    assert module._parallel(4, cpu, 3) == (3, 2), "no more workers than cells"
    assert {module._parallel(None, cpu, cells)[1] for cells in (1, 5, 99)} == {2}


def test_a_plugin_with_a_required_setting_is_a_skipped_row_under_all(npz, tmp_path, monkeypatch):
    from fillbench.generators.base import _REGISTRY

    monkeypatch.setattr(_REGISTRY, "_classes", dict(_REGISTRY._classes))
    path = tmp_path / "needy.py"
    path.write_text(HEAD.format(body="@dataclass(frozen=True)\n    class Config:\n        weights: str"))
    plan = plan_of(npz, plugin=(str(path),))
    assert plan.arms[-1].skip == "needs --set odd.weights=…"


def test_a_classifier_that_cannot_take_the_images_is_told_before_any_work(npz, monkeypatch):
    def refuses(self, images):
        raise RuntimeError("too small")

    monkeypatch.setattr("timm.models.resnet.ResNet.forward_head", refuses)
    with pytest.raises(FillbenchError, match="'resnet18' cannot take 8x8 images: RuntimeError: too small"):
        plan_of(npz, generators="smote", set=("classifier.model=resnet18",))


def test_a_strategy_that_the_classifier_cannot_take_is_a_skipped_row_among_controls_and_an_error_by_name(npz):
    arms = {arm.name: arm.skip for arm in plan_of(npz, classifier="dla46_c", generators="smote", controls="all").arms}
    reason = "needs a classifier that ends in a linear layer, not in a Conv2d"
    assert {name: skip for name, skip in arms.items() if skip and name != "full"} == {"none+ldam-drw": reason}
    with pytest.raises(FillbenchError, match=f"--strategies: dla46_c cannot be trained by 'ldam-drw': it {reason}"):
        plan_of(npz, classifier="dla46_c", generators="smote", strategies="ce,ldam-drw")


def test_what_should_be_known_before_a_run_is_in_its_plan(npz):
    few, told = plan_of(npz, classifier="mobilenetv3_small_050", generators="smote").warnings
    assert "enlarged to 224x224" in told
    assert few == "there are few test images, 10 of 'right': only large differences will show"
    assert plan_of(npz, generators="smote").warnings == [few]


@pytest.mark.parametrize("flag", ["steps", "pretrained"])
def test_a_flag_that_means_nothing_to_the_classifier_is_refused(npz, monkeypatch, flag):
    class Trees(ImageTrainer):
        default = "tree"

        @dataclass(frozen=True)
        class Config:
            model: str

    monkeypatch.setattr(module, "trainer_of", lambda kind: Trees)
    with pytest.raises(FillbenchError, match=f"--{flag} has no meaning for images: tree has no {flag}"):
        plan_of(npz, generators="smote", **{flag: "7" if flag == "steps" else True})


def test_a_plugin_that_raises_is_told_with_its_file(npz, tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("raise RuntimeError('boom')")
    with pytest.raises(FillbenchError, match=r"bad\.py' raised RuntimeError: boom"):
        plan_of(npz, plugin=(str(bad),))


HEAD = """
from dataclasses import dataclass
from fillbench.generators import Generator, register
@register("odd")
class Odd(Generator):
    {body}
    def _fit(self, train, deficits): ...
    def _sample(self, label, count): ...
"""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("class Config: steps = 3", "must be a dataclass"),
        ("@dataclass(frozen=True)\n    class Config: of: type(register) = register", "could not be set up: pydantic"),
        ("def available(self): raise RuntimeError('boom')", "could not be set up: RuntimeError: boom"),
        ("def __init__(self, *a, **k): raise RuntimeError('boom')", "could not be set up: RuntimeError: boom"),
    ],
)
def test_a_plugin_that_cannot_be_set_up_is_told(npz, tmp_path, monkeypatch, body, message):
    from fillbench.generators.base import _REGISTRY

    monkeypatch.setattr(_REGISTRY, "_classes", dict(_REGISTRY._classes))
    path = tmp_path / f"odd{abs(hash(body))}.py"
    path.write_text(HEAD.format(body=body))
    with pytest.raises(FillbenchError, match=message):
        plan_of(npz, plugin=(str(path),), generators="odd")


def test_a_plugin_that_exits_is_told(npz, tmp_path):
    path = tmp_path / "exits.py"
    path.write_text("import sys\nsys.exit(0)")
    with pytest.raises(FillbenchError, match=r"exits\.py' raised SystemExit"):
        plan_of(npz, plugin=(str(path),))


def test_by_default_five_digits_keep_five_images_and_the_others_all():
    plan = planned(resolve({"device": "cpu", "generators": "oversample"}))
    kept = plan.data.split.train.take(plan.data.manifests[0].kept).counts()
    assert kept[5:].tolist() == [5] * 5
    assert kept[:5].tolist() == plan.data.split.train.counts()[:5].tolist()
