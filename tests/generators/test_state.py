"""A fitted generator is stored as arrays and JSON, and reopened it makes the same examples."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fillbench.datasets.images import toy
from fillbench.datasets.tables import toy as rows
from fillbench.errors import FillbenchError
from fillbench.generators import NotStorable, create, load, names
from fillbench.generators.base import Generator
from fillbench.generators.state import KEPT, open_state, save_state
from fillbench.tests.pipelines import data, make
from fillbench.tests.quick import NEEDED, QUICK

WANTED = {1: 6, 2: 4}


def through_files(value, folder):
    save_state(folder, {"value": value})
    return open_state(folder)["value"]


def reopened(generator, train, folder):
    """A new instance with the settings of `generator`, and what it had learned, by way of files."""
    save_state(folder, generator.state())
    new = type(generator)(generator.config, seed=generator.seed, device=generator.device)
    new.restore(train, open_state(folder))
    new.facts, new.history = json.loads(json.dumps([generator.facts, generator.history]))
    return new


@pytest.mark.parametrize("name", [name for name in names() if name != "from-files"])
def test_a_reopened_generator_makes_the_same_examples_in_any_order(name, tmp_path):
    train = data() if load(name).takes("images") else rows()
    generator = create(name, random_state=3, device="cpu", **(QUICK | NEEDED).get(name, {})).fit(train, WANTED)
    new = reopened(generator, train, tmp_path)
    for label in (2, 1):
        np.testing.assert_array_equal(new.sample(label, WANTED[label]), generator.sample(label, WANTED[label]))
    assert new.facts == generator.facts
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors"}


@pytest.mark.parametrize("settings", [{"mode": "image-to-image", "steps": 4}, {"negative_prompt": "blurred"}])
def test_every_way_to_use_stable_diffusion_can_be_reopened(settings, tmp_path):
    train = data()
    model = make("sd", tmp_path / "model")
    for name in ("stable-diffusion", "stable-diffusion-lora"):
        chosen = {**QUICK[name], "model": str(model), **settings}
        generator = create(name, random_state=3, device="cpu", **chosen).fit(train, WANTED)
        np.testing.assert_array_equal(reopened(generator, train, tmp_path / name).sample(2, 3), generator.sample(2, 3))


def test_a_reopened_adapter_can_be_handed_out_again(tmp_path):
    train = data()
    generator = create("stable-diffusion-lora", device="cpu", **QUICK["stable-diffusion-lora"]).fit(train, WANTED)
    new = reopened(generator, train, tmp_path / "state")
    for name, one in (("old", generator), ("new", new)):
        (tmp_path / name).mkdir()
        one.sample(2, 1)
        one.save(tmp_path / name)
    files = [(tmp_path / name / "adapter.safetensors").read_bytes() for name in ("old", "new")]
    assert files[0] == files[1]


def test_images_made_elsewhere_are_in_the_state_so_that_their_files_may_go(tmp_path):
    path = tmp_path / "class 1.npy"
    np.save(path, toy(counts=(1, 20)).of_class(1))
    generator = create("from-files", path=str(path.parent), random_state=0).fit(toy(), {1: 5})
    path.unlink()
    again = create("from-files", path=str(path.parent), random_state=0)
    save_state(tmp_path / "state", generator.state())
    again.restore(toy(), open_state(tmp_path / "state"))
    np.testing.assert_array_equal(again.sample(1, 5), generator.sample(1, 5))


class Plain(Generator):
    """Sets plain things, as most plug-ins do, and has no line about states."""

    name = "plain"

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.table = {}

    def _fit(self, train, labels):
        self.train = train
        self.mean = {label: train.of_class(label).mean(0) for label in labels}
        self.spread = np.float32(9.5)
        self.lines = [torch.arange(3), ("a", 1, None, True, 0.1)]
        self.table["here"] = train.x[:5, ..., 0].T  # changed in place, and in another memory order

    def _sample(self, label, count):
        noise = self.rng.normal(0, self.spread, (count, *self.train.shape))
        return (self.mean[label] + noise).clip(0, 255).astype(np.uint8)


def test_what_a_plain_generator_set_is_its_state_and_the_training_set_a_reference(tmp_path):
    generator = Plain(seed=1).fit(toy(), [1, 2])
    state = generator.state()
    assert set(state) == {"train", "mean", "spread", "lines", "table"}
    assert state["train"] is KEPT
    new = reopened(generator, toy(), tmp_path)
    assert isinstance(new.spread, np.float32)
    assert new.lines[1] == ("a", 1, None, True, 0.1)
    assert new.table["here"].strides == generator.table["here"].strides
    np.testing.assert_array_equal(new.sample(2, 5), generator.sample(2, 5))


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (torch.nn.Linear(2, 2), "Linear"),
        (threading.Lock(), "lock"),
        (np.array([object()]), "object"),
        (np.array(["text"]), "<U4"),
        ([1, {"deep": {1, 2}}], r"\[1\]\['deep'\] is a set"),
        (toy(), "DataSet"),
    ],
)
def test_what_cannot_be_stored_is_told_with_the_way_out(thing, said):
    generator = Plain().fit(toy(), [1])
    generator.odd = thing
    with pytest.raises(NotStorable, match=rf"plain: self\.odd.*{said}.*_state.*_restore"):
        generator.state()


def test_a_state_needs_a_fit_and_a_fit_needs_its_files(tmp_path):
    with pytest.raises(FillbenchError, match="call fit before state"):
        Plain().state()
    with pytest.raises(FillbenchError, match="cannot be opened"):
        open_state(tmp_path)
    save_state(tmp_path, {"a": np.arange(9)})
    path = tmp_path / "arrays.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(FillbenchError, match="cannot be opened"):
        open_state(tmp_path)


@given(
    st.sampled_from(["b1", "u1", "i2", "u4", "i8", ">i4", "f2", "f4", "f8", "c8"]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    ),
    st.randoms(use_true_random=False),
)
def test_arrays_come_back_bit_for_bit_in_their_memory_order(tmp_path_factory, array, random):
    array = array.transpose(random.sample(range(array.ndim), array.ndim))
    folder = tmp_path_factory.mktemp("state")
    back = through_files(array, folder)
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.shape == array.shape
    assert back.tobytes() == array.astype(back.dtype).tobytes()
    tensor = through_files(torch.from_numpy(array.astype(back.dtype)), folder)
    assert tensor.shape == array.shape
    assert tensor.numpy().tobytes() == back.tobytes()


leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)


@given(
    st.recursive(
        leaf,
        lambda part: (
            st.lists(part, max_size=3)
            | st.lists(part, max_size=3).map(tuple)
            | st.dictionaries(st.integers() | st.text(max_size=3) | st.tuples(st.integers()), part, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_whatever_is_made_of_plain_values_comes_back(tmp_path_factory, value):
    assert through_files(value, tmp_path_factory.mktemp("state")) == value


def test_a_tensor_of_an_accelerator_goes_to_the_device_of_whoever_opens_it(tmp_path):
    plain = torch.ones(2)

    class Elsewhere(torch.Tensor):
        """Stands for a tensor on a GPU."""

        device = torch.device("cuda")

    save_state(tmp_path, {"there": plain.as_subclass(Elsewhere), "here": plain})
    state = open_state(tmp_path, "meta")
    assert [state[name].device.type for name in ("there", "here")] == ["meta", "cpu"]


def test_bfloat16_and_channels_last_come_back(tmp_path):
    tensor = torch.randn(2, 3, 4, 5, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
    back = through_files(tensor, tmp_path)
    assert back.stride() == tensor.stride()
    assert torch.equal(back, tensor)
