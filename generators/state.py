"""What a fitted generator knows, as files: safetensors for arrays, JSON for the rest, nothing that runs code."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..errors import FillbenchError

ARRAYS, TREE = "arrays.safetensors", "state.json"

State = dict[str, Any]
"""Names to arrays, tensors, numbers, texts, None, `KEPT`, and lists, tuples and dictionaries of these."""


class _Reference(Enum):
    KEPT = "the kept examples"


KEPT = _Reference.KEPT
"""Stands in a state for the data set that the generator was fitted to, which is not stored again."""


class NotStorable(FillbenchError):
    """A generator holds something that cannot be written as arrays and JSON, so its fit cannot be kept."""


def save_state(folder: Path, state: State) -> None:
    """Writes arrays.safetensors and state.json into `folder`, made if need be. Raises NotStorable."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, torch.Tensor] = {}
    tree = _pack(state, "the state", arrays)
    save_file(arrays, folder / ARRAYS)
    (folder / TREE).write_text(json.dumps(tree))


def open_state(folder: Path, device: torch.device | str = "cpu") -> State:
    """What `save_state` wrote, arrays in their types and memory order; tensors that lay on no CPU come to `device`.

    Raises FillbenchError when the files are missing or damaged.
    """
    try:
        tree, arrays = json.loads((folder / TREE).read_text()), load_file(folder / ARRAYS)
        return _unpack(tree, arrays, torch.device(device))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise FillbenchError(f"the fitted generator in '{folder}' cannot be opened: {error}") from None


def check_storable(value: object, where: str) -> None:
    """Raises NotStorable, naming `where`, for what `save_state` cannot write."""
    _pack(value, where, {})


def _pack(value: Any, where: str, arrays: dict[str, torch.Tensor]) -> Any:
    """`value` as JSON, its arrays put into `arrays` under the names that the JSON tells."""
    if value is KEPT:
        return {"kept": True}
    if type(value) in (bool, int, float, str, type(None)):  # a subclass would come back as something else
        return value
    if type(value) in (list, tuple):
        parts = [_pack(part, f"{where}[{index}]", arrays) for index, part in enumerate(value)]
        return {type(value).__name__: parts}
    if type(value) is dict:
        pairs = [
            [_pack(key, f"a key of {where}", arrays), _pack(part, f"{where}[{key!r}]", arrays)]
            for key, part in value.items()
        ]
        return {"dict": pairs}
    if isinstance(value, np.generic):
        return {"scalar": _put(np.asarray(value), where, arrays)}
    if type(value) is np.ndarray:
        return {"array": _put(value, where, arrays)}
    if isinstance(value, torch.Tensor) and value.layout == torch.strided:
        return {"tensor" if value.device.type == "cpu" else "accelerated": _put(value, where, arrays)}
    raise NotStorable(f"{where} is a {type(value).__name__}, which cannot be stored as arrays and JSON")


def _put(value: np.ndarray | torch.Tensor, where: str, arrays: dict[str, torch.Tensor]) -> list[Any]:
    """Puts an array into `arrays` with its axes in the order of its memory: [its name, that order].

    The order comes back too, since sums over an array in another one differ in their last bits.
    """
    if isinstance(value, torch.Tensor):
        tensor = value.detach().cpu()
    else:
        try:
            # A copy of what torch cannot share: read-only, of another byte order, with negative strides.
            tensor = torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("="), order="K"))
        except TypeError:
            raise NotStorable(f"{where} is an array of {value.dtype}, which cannot be stored") from None
    order = sorted(range(tensor.ndim), key=tensor.stride, reverse=True)
    name = str(len(arrays))
    arrays[name] = tensor.permute(order).clone(memory_format=torch.contiguous_format)
    return [name, order]


def _unpack(tree: Any, arrays: dict[str, torch.Tensor], device: torch.device) -> Any:
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "kept":
        return KEPT
    if kind in ("list", "tuple"):
        parts = [_unpack(part, arrays, device) for part in content]
        return parts if kind == "list" else tuple(parts)
    if kind == "dict":
        return {_unpack(key, arrays, device): _unpack(part, arrays, device) for key, part in content}
    name, order = content
    tensor = arrays[name].permute([order.index(axis) for axis in range(len(order))])
    if kind in ("tensor", "accelerated"):
        return tensor if kind == "tensor" else tensor.to(device)
    array = tensor.numpy()
    return array[()] if kind == "scalar" else array
