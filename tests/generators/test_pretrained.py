"""What is found, loaded or refused as a pretrained model, and what people are told."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from fillbench.errors import FillbenchError
from fillbench.generators import create, pretrained
from fillbench.tests.pipelines import copy_of, data, make, single_file

CPU = torch.device("cpu")
UNET = "unet/diffusion_pytorch_model.safetensors"
TEXT = "text_encoder/model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return make("sd", tmp_path_factory.mktemp("models") / "sd")


def load(model, **changes):
    given = {"config": "", "safety_checker": True, "dtype": torch.float32, "device": CPU, **changes}
    return pretrained.load_pipeline(str(model), **given)


def without_a_weight(file):
    def harm(folder):
        weights = load_file(folder / file)
        del weights[sorted(weights)[3]]
        save_file(weights, folder / file)

    return harm


def with_a_wrong_shape(file):
    def harm(folder):
        weights = load_file(folder / file)
        name = next(name for name in sorted(weights) if weights[name].ndim == 2)
        weights[name] = weights[name][:-1].clone()
        save_file(weights, folder / file)

    return harm


def as_pickle(folder):
    (folder / UNET).unlink()
    torch.save({}, folder / "unet" / "diffusion_pytorch_model.bin")


def cut(folder):
    (folder / UNET).write_bytes((folder / UNET).read_bytes()[:20000])


def with_code_of_its_own(folder):
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": ["pipeline", "Mine"]}))
    (folder / "pipeline.py").write_text("raise SystemExit('ran code of a model')")


def with_a_part_of_its_own(folder):
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "unet": ["mine", "Net"]}))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (without_a_weight(UNET), r"unet' are not whole: \S+ missing"),
        (without_a_weight(TEXT), r"text_encoder' are not whole: \S+ missing"),
        (with_a_wrong_shape(UNET), r"unet' do not fit its config\.json: \S+ has the shape \(7, 32\), not \(8, 32\)"),
        (with_a_wrong_shape(TEXT), r"text_encoder' do not fit its config\.json"),
        (lambda folder: (folder / UNET).unlink(), "it has no weights of its part 'unet'"),
        (as_pickle, r"as a pickle \(diffusion_pytorch_model\.bin\), which can run any code"),
        (cut, "is damaged: it was cut short"),
        (lambda folder: (folder / UNET).write_bytes(b"x" * 100), "is damaged"),
        (lambda folder: (folder / "model_index.json").unlink(), "not a Stable Diffusion pipeline"),
        (lambda folder: (folder / "model_index.json").write_text("{"), "could not be loaded"),
        (lambda folder: (folder / "unet" / "config.json").write_text("{}"), "could not be loaded|do not fit"),
        (with_code_of_its_own, "brings code of its own, which is not run"),
        (with_a_part_of_its_own, "code of its own for its part 'unet', which is not run"),
    ],
)
def test_a_folder_that_is_no_whole_pipeline_is_one_clear_message(whole, tmp_path, harm, message):
    broken = copy_of(whole, tmp_path / "broken")
    harm(broken)
    with pytest.raises(FillbenchError, match=message) as caught:
        load(broken)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("v1-5.ckpt", "is a pickle, which can run any code when it is opened; give the model as .safetensors"),
        ("/no/such/folder", "does not exist; give a folder, a .safetensors file, or a hub id"),
        ("no/such.safetensors", "does not exist"),
    ],
)
def test_what_cannot_be_a_model_is_told_before_anything_is_loaded(model, message):
    assert message in create("stable-diffusion", model=model).available()


def test_a_file_that_is_no_safetensors(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"x")
    assert (
        "neither a folder nor a .safetensors"
        in create("stable-diffusion", model=str(tmp_path / "model.onnx")).available()
    )
    (tmp_path / "model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(FillbenchError, match="is damaged"):
        load(tmp_path / "model.safetensors")
    save_file({"weight": torch.zeros(2)}, tmp_path / "some.safetensors")
    with pytest.raises(FillbenchError, match="does not hold a whole Stable Diffusion model"):
        load(tmp_path / "some.safetensors")


def test_without_network_the_reason_comes_with_the_command_that_fetches(monkeypatch, tmp_path):
    from huggingface_hub import HfApi

    def unreachable(*arguments, **keywords):
        assert keywords["timeout"] <= 10
        raise ConnectionError("Name or service not known")

    pretrained._on_hub.cache_clear()
    monkeypatch.setattr(HfApi, "model_info", unreachable)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    told = create("stable-diffusion", model="some/model").available()
    assert "not here, and the hub cannot be reached (Name or service not known)" in told
    assert "fetch them with: hf download some/model --include" in told


def test_offline_mode_is_respected(monkeypatch):
    from huggingface_hub import HfApi

    pretrained._on_hub.cache_clear()
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: pytest.fail("the network was asked"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE forbids" in create("stable-diffusion", model="some/other").available()


def test_grey_digits_get_the_embedded_model_and_all_else_stable_diffusion_1_5():
    said = "a handwritten digit {name}"
    assert pretrained.choose("auto", said, data()) == "embedded"
    assert pretrained.choose("auto", said, data(names=("Zero", "one", "two"))) == "embedded"
    for other in (data(names=("cat", "dog", "3")), data(shape=(8, 8, 3))):
        assert pretrained.choose("auto", said, other) == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    numbered = pretrained.choose("auto", "a photo of a {name}", data())
    assert numbered == "stable-diffusion-v1-5/stable-diffusion-v1-5", "classes without a name are numbered too"
    assert pretrained.choose("my/model", said, data()) == "my/model"


def test_a_model_of_the_hub_is_known_by_its_commit_before_and_after_it_is_fetched(monkeypatch, tmp_path):
    from huggingface_hub import HfApi

    pretrained._on_hub.cache_clear()
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    found = SimpleNamespace(sha="abc123", siblings=[SimpleNamespace(rfilename="model_index.json")])
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: found)
    assert pretrained.lacking("some/third") is None
    assert pretrained.identity("some/third") == "abc123"
    pretrained._on_hub.cache_clear()
    monkeypatch.setattr(pretrained, "_cached", lambda _: tmp_path / "abc123")
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: pytest.fail("the network was asked"))
    assert pretrained.identity("some/third") == "abc123"


def test_a_model_that_was_fetched_only_in_part_is_not_there(whole, tmp_path, monkeypatch):
    import huggingface_hub

    folder = copy_of(whole, tmp_path / "part")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: str(folder / "model_index.json"))
    pretrained._on_hub.cache_clear()
    assert pretrained.lacking("some/fourth") is None
    (folder / UNET).unlink()
    pretrained._on_hub.cache_clear()
    assert "some/fourth" in (pretrained.lacking("some/fourth") or "")


def test_only_the_weights_that_are_loaded_count_for_the_memory(whole, tmp_path):
    folder = copy_of(whole, tmp_path / "many")
    for name in ("unet/diffusion_pytorch_model.fp16", "unet/diffusion_pytorch_model.non_ema", "v1-5-pruned"):
        (folder / f"{name}.safetensors").write_bytes(b"not looked at")
    load(folder)


def test_weights_in_half_precision_only_are_found(whole, tmp_path):
    folder = copy_of(whole, tmp_path / "half")
    (folder / UNET).rename(folder / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    load(folder)


def test_the_key_changes_with_the_bytes_of_the_model(whole, tmp_path):
    copy = copy_of(whole, tmp_path / "copy")
    assert pretrained.identity(str(copy)) == pretrained.identity(str(whole))
    content = bytearray((copy / UNET).read_bytes())
    content[-1] ^= 1
    (copy / UNET).write_bytes(content)
    assert pretrained.identity(str(copy)) != pretrained.identity(str(whole))


def test_the_key_changes_with_the_prompts(tmp_path):
    path = tmp_path / "prompts.yaml"
    keys = set()
    for text in ("templates: a", "templates: b"):
        path.write_text(text)
        keys.add(create("stable-diffusion", prompt=str(path)).inputs())
    assert len(keys) == 2


def test_a_model_that_is_too_large_for_the_memory(whole, monkeypatch):
    class Small:
        available = 1000

    monkeypatch.setattr(pretrained.psutil, "virtual_memory", lambda: Small)
    with pytest.raises(FillbenchError, match=r"too little memory: the model's weights take .*precision=float16"):
        load(whole)


def test_a_safety_checker_without_all_its_weights_is_no_safety_checker(tmp_path):
    folder = make("checked", tmp_path / "checked")
    without_a_weight("safety_checker/model.safetensors")(folder)
    with pytest.raises(FillbenchError, match="safety_checker' are not whole"):
        load(folder)


def test_the_safety_checker_is_left_out_on_demand(tmp_path):
    folder = make("checked", tmp_path / "checked")
    assert load(folder).safety_checker is not None
    assert load(folder, safety_checker=False).safety_checker is None


def test_nothing_is_run_or_asked_that_a_model_brings(whole, monkeypatch):
    from diffusers import AutoPipelineForText2Image

    asked = {}
    original = AutoPipelineForText2Image.from_pretrained.__func__

    def spy(cls, *arguments, **keywords):
        asked.update(keywords)
        return original(cls, *arguments, **keywords)

    monkeypatch.setattr(AutoPipelineForText2Image, "from_pretrained", classmethod(spy))
    load(whole)
    assert asked["token"] is False
    assert asked["use_safetensors"] is True
    assert not asked.get("trust_remote_code")


def test_a_single_file_is_the_same_model_as_its_folder(tmp_path):
    folder = make("classic", tmp_path / "classic")
    file = single_file(folder, tmp_path / "model.safetensors")
    prompt = {"prompt": "a digit 3", "num_inference_steps": 2, "output_type": "pt"}
    images = [
        load(model, config=config)(**prompt, generator=torch.Generator().manual_seed(0)).images
        for model, config in ((folder, ""), (file, str(folder)))
    ]
    torch.testing.assert_close(*images, atol=1e-4, rtol=1e-3)


def test_a_single_file_without_its_configuration_says_where_to_get_one(tmp_path, monkeypatch):
    file = single_file(make("classic", tmp_path / "classic"), tmp_path / "model.safetensors")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FillbenchError, match="a pipeline's folder in the setting `config`"):
        load(file)
