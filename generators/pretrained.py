"""Finds, checks and loads pretrained Stable Diffusion pipelines: safetensors only, no code from a model, no token."""

from __future__ import annotations

import gc
import json
import math
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import torch

from ..datasets.base import DataSet
from ..disk import sha256_of_all
from ..errors import FillbenchError
from .embedded import MODEL

AUTO, EMBEDDED = "auto", "embedded"
DEFAULT = "stable-diffusion-v1-5/stable-diffusion-v1-5"
PICKLES = (".ckpt", ".bin", ".pt", ".pth", ".pkl")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
HUB_SECONDS = 5.0
NETWORKS = ("unet", "vae", "text_encoder", "text_encoder_2")  # what none of these models can do without
DIGITS = {*"0123456789", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}


def choose(model: str, prompt: str, train: DataSet) -> str:
    """`model`; or for 'auto' the embedded one where grey images are said to be digits, and else Stable Diffusion 1.5.

    Numbers for names do not make a class a digit, so the prompt has to say it.
    """
    if model != AUTO:
        return model
    grey, named = train.x.shape[-1] == 1, set(map(str.lower, train.class_names)) <= DIGITS
    return EMBEDDED if grey and named and "digit" in prompt else DEFAULT


def _path(model: str) -> Path:
    return MODEL if model == EMBEDDED else Path(model).expanduser()


def lacking(model: str) -> str | None:
    """Why `model` (a folder, a file, a hub id, or a word) cannot be loaded here, with what would help; or None."""
    if model == AUTO:
        return None
    path = _path(model)
    if path.suffix in PICKLES:
        return f"'{model}' is a pickle, which can run any code when it is opened; give the model as .safetensors"
    if path.is_dir():
        if not (path / "model_index.json").is_file():
            return f"folder '{model}' is not a Stable Diffusion pipeline: it has no model_index.json"
        return None
    if path.is_file():
        return None if path.suffix == ".safetensors" else f"'{model}' is neither a folder nor a .safetensors file"
    if path.suffix == ".safetensors" or not HUB_ID.fullmatch(model):
        return f"'{model}' does not exist; give a folder, a .safetensors file, or a hub id such as {DEFAULT}"
    return _on_hub(model)[1]


def _cached(model: str) -> Path | None:
    """The folder of a hub model in the local cache, if every network of it has weights there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model, "model_index.json")
    if not isinstance(found, str):
        return None
    folder, parts = Path(found).parent, json.loads(Path(found).read_text())
    networks = [name for name in NETWORKS if (parts.get(name) or [None])[0]]
    return folder if all(list((folder / name).glob("*.safetensors")) for name in networks) else None


@cache
def _on_hub(model: str) -> tuple[str, str | None]:
    """The commit of a hub model, the one in the local cache if it is there; or why there is none to be had."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if folder := _cached(model):
        return folder.name, None
    fetch = f"where there is a network, fetch them with: {fetch_command(model)}"
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return "", f"the weights of {model} are not here, and HF_HUB_OFFLINE forbids to fetch them; {fetch}"
    try:
        found = HfApi(token=False).model_info(model, timeout=HUB_SECONDS)
    except (RepositoryNotFoundError, GatedRepoError):
        return "", f"the hub has no public model '{model}'"
    except Exception as error:  # whatever the HTTP library of the day calls having no network
        return "", f"the weights of {model} are not here, and the hub cannot be reached ({_first_line(error)}); {fetch}"
    if "model_index.json" not in {file.rfilename for file in found.siblings or ()}:
        return "", f"'{model}' on the hub is not a Stable Diffusion pipeline: it has no model_index.json"
    return found.sha or "", None


def fetch_command(model: str) -> str:
    """What fetches a hub model's weights once: a repository may hold each of them in several forms."""
    return f"hf download {model} --include '*.json' '*.txt' '*/*model.safetensors' --exclude '*fp16*' '*non_ema*'"


def identity(model: str) -> str:
    """A hash of what `model` holds, for a cache."""
    path = _path(model)
    if not path.exists():
        return _on_hub(model)[0]  # the commit tells the content
    return sha256_of_all(path)


def load_pipeline(model: str, config: str, safety_checker: bool, dtype: torch.dtype, device: torch.device) -> Any:
    """The text-to-image pipeline of `model` on `device`, which draws no progress bars of its own.

    `config`: for a single file, the folder with a pipeline's configuration, where the hub is not to be asked.
    Raises FillbenchError when it is not whole, not safetensors, or too large for the memory.
    """
    import diffusers
    import transformers

    if reason := lacking(model):
        raise FillbenchError(reason)
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    path = _path(model)
    try:
        if path.is_file():
            _check_memory([path], dtype, device)
            pipeline = _from_file(path, config, dtype)
        else:
            pipeline = _from_folder(path if path.is_dir() else _download(model), safety_checker, dtype, device)
    except FillbenchError:
        raise
    except Exception as error:  # whatever a damaged file makes of it, in three libraries
        raise FillbenchError(f"model '{model}' could not be loaded: {_first_line(error)}{_hint(path)}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device, dtype)


def _download(model: str) -> Path:
    """The folder of a hub model, with what is missing of it fetched."""
    from diffusers import DiffusionPipeline

    try:
        return Path(DiffusionPipeline.download(model, revision=_on_hub(model)[0], use_safetensors=True, token=False))
    except Exception:  # no network, in any of its forms: what is there may be whole
        if folder := _cached(model):
            return folder
        raise


def _from_folder(folder: Path, safety_checker: bool, dtype: torch.dtype, device: torch.device) -> Any:
    """The pipeline in `folder`. Its networks are loaded one by one, since only so a missing weight is told."""
    import diffusers
    import transformers
    from diffusers.pipelines import stable_diffusion

    libraries = {"diffusers": diffusers, "transformers": transformers, "stable_diffusion": stable_diffusion}
    index = json.loads((folder / "model_index.json").read_text())
    if not isinstance(index.get("_class_name"), str):
        raise FillbenchError(f"'{folder}' brings code of its own, which is not run")
    networks: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    for name, entry in index.items():
        if not isinstance(entry, list) or entry[0] is None:
            continue
        if entry[0] not in libraries:
            raise FillbenchError(f"'{folder}' brings code of its own for its part '{name}', which is not run")
        cls = getattr(libraries[entry[0]], entry[1], None)
        if name == "safety_checker" and not safety_checker:
            parts[name] = None
        elif isinstance(cls, type) and issubclass(cls, torch.nn.Module):
            networks[name] = cls, _weights_of(folder, name)
    _check_memory([file for _, (_, files) in networks.items() for file in files], dtype, device)
    parts |= {name: _load_part(cls, folder, name, files, dtype) for name, (cls, files) in networks.items()}
    return diffusers.AutoPipelineForText2Image.from_pretrained(
        folder, **parts, dtype=dtype, use_safetensors=True, local_files_only=True, token=False
    )


def _weights_of(folder: Path, name: str) -> list[Path]:
    """The weight files of a part: those of full precision where there are several forms."""
    files = sorted((folder / name).glob("*.safetensors"))
    plain = [file for file in files if "." not in file.stem and "non_ema" not in file.stem]
    if files:
        return plain or files
    pickles = [file.name for file in (folder / name).glob("*") if file.suffix in PICKLES]
    if pickles:
        raise FillbenchError(
            f"'{folder / name}' has its weights as a pickle ({pickles[0]}), which can run any code when it is "
            "opened; fetch or convert them to .safetensors"
        )
    raise FillbenchError(f"'{folder}' is not a whole pipeline: it has no weights of its part '{name}'")


def _load_part(cls: Any, folder: Path, name: str, files: list[Path], dtype: torch.dtype) -> torch.nn.Module:
    variant = files[0].stem.partition(".")[2].partition("-")[0] or None  # model.fp16.safetensors
    try:
        part, told = cls.from_pretrained(
            folder,
            subfolder=name,
            variant=variant,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (ValueError, RuntimeError) as error:
        text = str(error)
        shape = re.search(r"(\S+) expected shape .*?\[(.*?)\].*?but got .*?\[(.*?)\]", text)
        if shape:
            raise FillbenchError(
                f"the weights in '{folder / name}' do not fit its config.json: "
                f"{shape[1]} has the shape ({shape[3]}), not ({shape[2]})"
            ) from None
        if "ignore_mismatched_sizes" in text:
            raise FillbenchError(
                f"the weights in '{folder / name}' do not fit its config.json: shapes differ"
            ) from None
        raise
    missing = sorted(told["missing_keys"])
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise FillbenchError(f"the weights in '{folder / name}' are not whole: {missing[0]}{more} missing")
    return part


def _from_file(path: Path, config: str, dtype: torch.dtype) -> Any:
    import diffusers
    from safetensors import safe_open

    with safe_open(path, "pt") as weights:
        names = set(weights.keys())
    if not any(name.startswith("model.diffusion_model.") for name in names):
        raise FillbenchError(f"'{path}' does not hold a whole Stable Diffusion model; give one, or its folder")
    xl = any(name.startswith("conditioner.embedders.1.") for name in names)
    cls = diffusers.StableDiffusionXLPipeline if xl else diffusers.StableDiffusionPipeline
    given = {"config": str(Path(config).expanduser()), "local_files_only": True} if config else {}
    return cls.from_single_file(str(path), dtype=dtype, token=False, **given)


def _hint(path: Path) -> str:
    if path.is_file():
        return ". A single file needs a configuration: from the hub, or as a pipeline's folder in the setting `config`"
    return ""


def _check_memory(files: list[Path], dtype: torch.dtype, device: torch.device) -> None:
    """Raises FillbenchError when the weights alone would not fit."""
    size = 0
    for file in files:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > file.stat().st_size:
                raise FillbenchError(f"'{file}' is damaged: it was cut short, or is no safetensors file")
            header = json.loads(stream.read(length))
        size += sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    needed = size * dtype.itemsize
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()  # what former cells of this process left
        free = torch.cuda.mem_get_info(device)[0]
    else:
        free = psutil.virtual_memory().available
    if needed > free:
        half = ", or half precision (precision=float16)" if dtype.itemsize == 4 else ""
        raise FillbenchError(
            f"too little memory: the model's weights take {needed / 2**30:.1f} GiB, "
            f"{free / 2**30:.1f} GiB are free on {device}; take a smaller model{half}"
        )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__
