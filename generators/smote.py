"""SMOTE and kin (imbalanced-learn) on flattened examples; of tables, on scaled numbers and codes of categories."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import Field

from ..datasets.base import Array, DataSet
from ..errors import CannotFill
from .base import ANY, register
from .kept_rows import KeptRows

CPU = torch.device("cpu")


class Interpolation(KeptRows):
    """New examples between kept ones of the class; a subclass names imbalanced-learn's sampler."""

    kinds = ANY
    does = "goes between"
    takes_codes: ClassVar[bool] = False
    """Whether its sampler takes categories as codes; if not, it gets them one-hot."""

    @dataclass(frozen=True)
    class Config:
        """`neighbours`: among how many of its nearest of the class one is drawn (fewer in a tiny class)."""

        neighbours: Annotated[int, Field(gt=0)] = 5

    def _samplers(self, have: int, others: int) -> Iterator[Callable[..., Any]]:
        """imbalanced-learn's sampler for a class of `have` examples, then what to try when it makes nothing."""
        raise NotImplementedError

    def _prepare(self, train: DataSet) -> None:
        super()._prepare(train)
        self.coded = [spot for spot, count in enumerate(self.encoder.categories) if count]
        self.one_hot = bool(self.coded) and not self.takes_codes
        if self.one_hot:
            self.rows = self.encoder.encode(train.x, CPU).numpy()

    def _sample(self, label: int, count: int) -> Array:
        have = int((self.train.labels == label).sum())
        for sampler in self._samplers(have, len(self.train) - have):
            made = self._make(sampler, label, have + count)
            if len(made) >= count:
                break
        else:
            noun, name = self.train.traits.noun, self.train.class_names[label]
            raise CannotFill(
                f"{self.name}: no {noun} of class '{name}' has one of another class among its nearest, "
                "and only there it makes new ones; take smote, which makes them anywhere in the class"
            )
        chosen = made[self.rng.permutation(len(made))[:count]]
        if self.one_hot:
            return self.encoder.decode(torch.from_numpy(chosen))
        return self.encoder.examples(chosen, self.train)

    def _make(self, sampler: Callable[..., Any], label: int, count: int) -> np.ndarray:
        """About `count` new rows: ADASYN rounds for each example of the class, so it may miss by as many."""
        rows, labels = self._seen(label)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                seed = int(self.rng.integers(2**31))
                target = {label: int((labels == label).sum()) + count}
                made, _ = sampler(sampling_strategy=target, random_state=seed).fit_resample(rows, labels)
        except RuntimeError:  # ADASYN's way to say that no neighbour is of another class
            return self.rows[:0]
        except ValueError as error:
            raise CannotFill(f"{self.name}: {str(error).splitlines()[0]}") from error
        return made[len(rows) :]

    def _seen(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows and labels that the sampler looks at, to make rows of a class."""
        return self.rows, self.train.labels


@register("smote")
class Smote(Interpolation):
    """Between a kept example and one of its neighbours of the class (Chawla 2002)."""

    takes_codes = True

    def _seen(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Only rows of the class matter, except where categories are all there is: how far apart they are, the
        other classes tell. imbalanced-learn wants others in any case; these are more, as it measures the spread of
        numbers, which it holds categories against, in the smallest class."""
        if len(self.coded) == self.rows.shape[1]:
            return super()._seen(label)
        of_class = self.train.labels == label
        own, others = np.flatnonzero(of_class), np.flatnonzero(~of_class)[: of_class.sum() + 1]
        chosen = np.concatenate([own, others])
        return self.rows[chosen], np.where(of_class[chosen], label, label + 1)

    def _samplers(self, have: int, others: int) -> Iterator[Callable[..., Any]]:
        from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

        neighbours = min(self.config.neighbours, have - 1)
        if not self.coded:
            yield partial(SMOTE, k_neighbors=neighbours)
        elif len(self.coded) == self.rows.shape[1]:
            yield partial(SMOTEN, k_neighbors=neighbours)
        else:
            yield partial(SMOTENC, self.coded, k_neighbors=neighbours)


@register("borderline-smote")
class BorderlineSmote(Interpolation):
    """SMOTE from the examples near other classes only (Han 2005)."""

    def _samplers(self, have: int, others: int) -> Iterator[Callable[..., Any]]:
        from imblearn.over_sampling import BorderlineSMOTE

        # An example whose m neighbours are all of other classes counts as noise. In a tiny class that can be every
        # example at the paper's m = 10, so m grows until one of them counts as borderline.
        m = 10
        while True:
            m = min(m, have + others - 1)
            yield partial(BorderlineSMOTE, k_neighbors=min(self.config.neighbours, have - 1), m_neighbors=m)
            if m == have + others - 1:
                return
            m *= 2


@register("adasyn")
class Adasyn(Interpolation):
    """SMOTE with more new examples where other classes are near (He 2008)."""

    def _samplers(self, have: int, others: int) -> Iterator[Callable[..., Any]]:
        from imblearn.over_sampling import ADASYN, SMOTE

        neighbours = min(self.config.neighbours, have - 1)
        yield partial(ADASYN, n_neighbors=neighbours)
        yield partial(SMOTE, k_neighbors=neighbours)  # no other class is near: all count the same
