"""Prompts for text-to-image models: templates with word lists, drawn by seed."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ..errors import FillbenchError, did_you_mean, why

NAME = "name"  # the field that stands for the class
KEYS = ("templates", "words", "classes")
CLASS_KEYS = ("name", "templates", "words")


def is_file(prompt: str) -> bool:
    """Whether a prompt names a file of prompts."""
    return prompt.endswith((".yaml", ".yml"))


@dataclass(frozen=True)
class Prompts:
    """Templates such as "a photo of a {breed} {name}", and the words that may stand for their fields.

    `classes` holds what is otherwise for a class: its `name` in prompts, its `templates`, its `words`.
    """

    templates: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    classes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Prompts:
        """From a template, or from a YAML file (the text ends in .yaml or .yml).

        Raises FillbenchError for a file that cannot be read, an unknown key, or a template naming an unknown field.
        """
        if not is_file(text):
            found, where = cls((text,)), f"the prompt '{text}'"
        else:
            found, where = _from_yaml(Path(text).expanduser()), f"'{text}'"
        for one in (found, *(found.of(name) for name in found.classes)):
            one._check(where)
        return found

    def of(self, name: str) -> Prompts:
        """Those of the class called `name`, with its name filled in as a word."""
        own = self.classes.get(name, {})
        words = {NAME: (own.get("name", name),), **self.words, **own.get("words", {})}
        return replace(self, templates=own.get("templates", self.templates), words=words, classes={})

    def draw(self, name: str, count: int, rng: np.random.Generator) -> list[str]:
        """`count` prompts for the class called `name`: a random template each, with random words."""
        own = self.of(name)
        return [own._one(rng) for _ in range(count)]

    def without_words(self, plain: str) -> Prompts:
        """For images that were not made from a prompt: nobody knows which words of a list fit them.

        Classes keep their names; where there are lists of words, the template is `plain`.
        """
        if not self.words and not any("words" in own for own in self.classes.values()):
            return self
        names = {name: {"name": own["name"]} for name, own in self.classes.items() if "name" in own}
        return Prompts((plain,), classes=names)

    def require(self, class_names: Sequence[str]) -> None:
        """Raises FillbenchError when `classes` holds one that the data does not."""
        for name in self.classes:
            if name not in class_names:
                raise FillbenchError(f"the prompts are for a class '{name}'; {did_you_mean(name, class_names)}")

    def _one(self, rng: np.random.Generator) -> str:
        template = self.templates[rng.integers(len(self.templates))]
        chosen = {key: words[rng.integers(len(words))] for key, words in self.words.items()}
        return template.format(**chosen)

    def _check(self, where: str) -> None:
        known = {NAME, *self.words}
        for template in self.templates:
            try:
                fields = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
            except ValueError as error:
                raise FillbenchError(f"{where}: the template '{template}' will not do: {error}") from None
            for name in fields:
                if name not in known:
                    raise FillbenchError(
                        f"{where}: the template '{template}' names an unknown field '{name}'; "
                        f"{did_you_mean(name, known)} Or add a list of words of that name; for braces write {{{{ }}}}"
                    )


def _from_yaml(path: Path) -> Prompts:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = why(error) if isinstance(error, OSError) else str(error).splitlines()[0]
        raise FillbenchError(f"the prompts '{path}' cannot be read: {reason}") from None
    where = f"the prompts '{path}'"
    content = _mapping(content, where, KEYS)
    if not content.get("templates"):
        raise FillbenchError(f"{where} have no templates; write: templates: ['a photo of a {{name}}']")
    classes = {
        str(name): _part(_mapping(own, f"{where}, class '{name}'", CLASS_KEYS), f"{where}, class '{name}'")
        for name, own in _mapping(content.get("classes") or {}, f"{where}, classes").items()
    }
    part = _part(content, where)
    return Prompts(part["templates"], part.get("words", {}), classes)


def _part(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """`templates`, `words` and `name`, as far as `content` has them, with their types set right."""
    part: dict[str, Any] = {}
    if content.get("templates"):
        part["templates"] = _texts(content["templates"], f"{where}, templates")
    if content.get("words"):
        words = _mapping(content["words"], f"{where}, words")
        part["words"] = {key: _texts(value, f"{where}, words, {key}") for key, value in words.items()}
        for key in part["words"]:
            if not key.isidentifier() or key == NAME:
                raise FillbenchError(
                    f"{where}: '{key}' cannot be a list of words; use letters, digits and _, and not 'name', "
                    "which stands for the class"
                )
    if content.get("name") is not None:
        part["name"] = str(content["name"])
    return part


def _mapping(content: object, where: str, known: Sequence[str] = ()) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        raise FillbenchError(f"{where} must be a mapping (key: value), not {type(content).__name__}")
    for key in content:
        if known and key not in known:
            raise FillbenchError(f"{where}: unknown key '{key}'; {did_you_mean(str(key), known)}")
    return {str(key): value for key, value in content.items()}


def _texts(content: object, where: str) -> tuple[str, ...]:
    texts = content if isinstance(content, list) else [content]
    if not texts or not all(isinstance(text, str | int | float) for text in texts):
        raise FillbenchError(f"{where} must be a list of texts")
    return tuple(map(str, texts))
