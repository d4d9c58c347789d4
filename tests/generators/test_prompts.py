"""Prompts: templates, word lists, classes, and what is told of mistakes in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fillbench.errors import FillbenchError
from fillbench.generators.prompts import Prompts

CATS = """
templates:
  - "a photo of a {breed} {name} {action}, {place}"
  - "a {name}, {place}"
words:
  breed: [siamese, tabby, persian]
  action: [sleeping, running]
  place: [at home, outdoors]
classes:
  dog:
    name: puppy
    templates: ["a {breed} {name}"]
    words: {breed: [beagle]}
"""


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def cats(tmp_path):
    path = tmp_path / "cats.yaml"
    path.write_text(CATS)
    return str(path)


def test_a_template_names_the_class():
    assert Prompts.read("a photo of a {name}").draw("cat", 2, rng()) == ["a photo of a cat"] * 2


def test_words_are_combined_and_drawn_by_seed(cats):
    prompts = Prompts.read(cats)
    drawn = prompts.draw("cat", 400, rng())
    assert drawn == prompts.draw("cat", 400, rng())
    assert drawn != prompts.draw("cat", 400, rng(1))
    assert len(set(drawn)) == 3 * 2 * 2 + 2, "every combination turns up"
    assert "a photo of a tabby cat sleeping, at home" in drawn


def test_a_class_may_have_its_own_name_templates_and_words(cats):
    assert set(Prompts.read(cats).draw("dog", 20, rng())) == {"a beagle puppy"}


@given(st.text(max_size=20), st.integers(0, 2**32))
def test_any_class_name_is_used_as_it_is(name, seed):
    assert Prompts(("<{name}>",)).draw(name, 1, rng(seed)) == [f"<{name}>"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("templates: ['a {bred} cat']\nwords: {breed: [tabby]}", "unknown field 'bred'; did you mean 'breed'"),
        ("templates: ['a {} cat']", "unknown field ''"),
        ("templates: ['a {name.__class__}']", "unknown field 'name.__class__'"),
        ("templates: ['a {cat']", "will not do: expected '}'"),
        ("template: ['a cat']", "unknown key 'template'; did you mean 'templates'"),
        ("words: {a: [b]}", "have no templates"),
        ("templates: a {breed}\nwords: {breed: {x: y}}", "words, breed must be a list of texts"),
        ("[1, 2]", "must be a mapping"),
        ("templates: [a\n", "cannot be read"),
        ("templates: [x]\nclasses: {dog: {names: puppy}}", "class 'dog': unknown key 'names'; did you mean 'name'"),
        ("templates: [x]\nclasses: {dog: {templates: ['{breed}']}}", "unknown field 'breed'"),
        ("templates: [x]\nwords: {'a b': [c]}", "'a b' cannot be a list of words"),
        ("templates: [x]\nwords: {name: [dog]}", "'name' cannot be a list of words"),
    ],
)
def test_mistakes_are_told(tmp_path, content, message):
    path = tmp_path / "prompts.yaml"
    path.write_text(content)
    with pytest.raises(FillbenchError) as caught:
        Prompts.read(str(path))
    assert message in str(caught.value)


def test_a_file_that_is_not_there_and_a_template_with_a_mistake():
    with pytest.raises(FillbenchError, match=r"'/no/such\.yaml' cannot be read: No such file"):
        Prompts.read("/no/such.yaml")
    with pytest.raises(FillbenchError, match=r"the prompt 'a {nam}'.* did you mean 'name'"):
        Prompts.read("a {nam}")


def test_prompts_for_a_class_that_the_data_does_not_have(cats):
    with pytest.raises(FillbenchError, match="'dog'; did you mean 'dogs'"):
        Prompts.read(cats).require(["cat", "dogs"])


def test_without_word_lists_classes_keep_their_names(cats):
    plain = Prompts.read(cats).without_words("a photo of a {name}")
    assert plain.draw("dog", 1, rng()) == ["a photo of a puppy"]
    assert plain.draw("cat", 1, rng()) == ["a photo of a cat"]
    assert Prompts(("a {name}",)).without_words("the {name}").draw("cat", 1, rng()) == ["a cat"]
    own = Prompts(("a {name}",), classes={"dog": {"words": {"breed": ("beagle",)}}})
    assert own.without_words("the {name}").draw("dog", 1, rng()) == ["the dog"]
