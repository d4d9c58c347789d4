"""Generators from elsewhere, as plug-ins that the documents show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fillbench.benchmark.check import check
from fillbench.generators import base

PACKAGE = Path(__file__).parent / "plugins" / "ctgan_package.py"
TOLD = (Path(__file__).parents[2] / "docs" / "tables.md").read_text()
GREAT = next(block for block in re.findall(r"```python\n(.*?)```", TOLD, re.S) if "great.py" in block)


def test_the_package_that_the_documents_show_is_the_one_that_is_tried():
    assert f"```python\n{PACKAGE.read_text()}```" in TOLD


def test_the_package_ctgan_works_as_a_plug_in():
    pytest.importorskip("ctgan", reason="the package ctgan is not installed")
    wrong = {result.name: result.reason for result in check(str(PACKAGE), ("epochs=1", "batch_size=20"), "cpu")}
    del base._REGISTRY._classes["ctgan-package"]
    assert not {name: reason for name, reason in wrong.items() if reason}


@pytest.fixture
def writer(tmp_path):
    """The folder of a small GPT-2 of random weights, whose tokenizer knows every byte."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    end = "<|endoftext|>"
    vocabulary = {token: spot for spot, token in enumerate([end, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end).save_pretrained(tmp_path)
    small = {"n_positions": 512, "n_embd": 16, "n_layer": 1, "n_head": 1}
    config = GPT2Config(vocab_size=len(vocabulary), bos_token_id=0, eos_token_id=0, **small)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    return tmp_path


def test_the_language_model_that_the_documents_show_runs_and_tells_when_it_writes_no_rows(writer, tmp_path):
    path = tmp_path / "great.py"
    path.write_text(GREAT)
    settings = (f"model={writer}", "steps=1", "tries=1", "batch_size=2")
    found = {result.name: result for result in check(str(path), settings, "cpu")}
    del base._REGISTRY._classes["great"]
    assert all(result.passed for name, result in found.items() if name.startswith(("It has", "It can")))
    assert "0 of 64 texts were rows" in " ".join(result.reason for result in found.values())
