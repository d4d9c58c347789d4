"""A user's own images as files: a folder for each class, in parts or as a whole."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import FillbenchError
from .base import DataSet, Split
from .decode import read_images
from .images import ImageTraits
from .names import class_of, part_of, plain
from .reading import Notes, ReadOptions
from .split import groups_of, hold_back, sides

MASK = re.compile(r"[_\-. ](mask|seg|segmentation|label|annotation|gt)s?([_\-. ]?\d+)?$", re.IGNORECASE)

Labelled = list[tuple[Path, int]]


def load_folder(path: Path, options: ReadOptions, notes: Notes) -> Split:
    """Reads `train/<class>/*`, `val/<class>/*` and `test/<class>/*`, or `<class>/*` with a quarter held back.

    Raises FillbenchError for a file that is no image, a class that only one part has, or fewer than two classes.
    """
    if not path.is_dir():
        raise FillbenchError(f"folder '{path}' does not exist")
    folders = _parts(path, notes)
    learned, tested = sides(folders, options.drop_validation, f"'{path}'", notes)
    found = {part: list_classes(folders[part]) for part in (*learned, *tested)}
    names = tuple(sorted({name for part in learned for name in found[part]}))
    _check_classes(names, {name for part in tested or learned for name in found[part]}, folders, learned, tested)
    train, test = (
        [(f, k) for part in side for k, n in enumerate(names) for f in found[part].get(n, ())]
        for side in (learned, tested)
    )
    _tell_masks([file for file, _ in (*train, *test)], notes)
    train, test = _split(path, train, test, names, options, notes)
    learn, held_out = _read(path, train, test, names, options, notes)
    return Split(plain(path.resolve().name), learn, held_out)


def _read(
    path: Path, train: Labelled, test: Labelled, names: tuple[str, ...], options: ReadOptions, notes: Notes
) -> tuple[DataSet, DataSet]:
    everything, cut = [*train, *test], len(train)
    images, bits = read_images([file for file, _ in everything], options, notes)
    if options.bits is not None and not notes.facts.get("deep"):
        raise FillbenchError(f"--bits {options.bits}: no image of '{path}' is deeper than 8 bits; leave the flag out")
    notes.facts |= {"bits": bits, "ground": options.ground}
    labels = np.array([label for _, label in everything], np.int64)
    traits = ImageTraits(flip=options.flip, bits=bits, ground=options.ground)
    # Both parts are views: the pixels are in memory once.
    return DataSet(images[:cut], labels[:cut], names, traits), DataSet(images[cut:], labels[cut:], names, traits)


def _parts(path: Path, notes: Notes) -> dict[str, Path]:
    """The folders of train, val and test; of a folder without such, itself as train."""
    folders = [f for f in sorted(path.iterdir()) if f.is_dir() and not f.name.startswith(".")]
    found: dict[str, Path] = {}
    for folder in folders:
        part = part_of(folder.name)
        if part in found:
            raise FillbenchError(
                f"'{found[part].name}' and '{folder.name}' in '{path}' both are its {part} part; leave one of them"
            )
        if part:
            found[part] = folder
    alone = len(folders) == 1 and all(f.is_dir() for f in folders[0].iterdir() if not f.name.startswith("."))
    if "train" not in found or (len(found) == 1 and not alone):
        return {"train": path}
    if beside := [f.name for f in folders if f not in found.values()]:
        notes.warn(f"folder '{beside[0]}' lies beside the parts {', '.join(found)} of '{path}' and is left out")
    return found


def list_classes(path: Path) -> dict[str, list[Path]]:
    """The files of each class folder, by class name; hidden files (.DS_Store and kin) don't count.

    Raises FillbenchError for a file or folder where it is not expected, an empty class, or two folders of one class.
    """
    found: dict[str, list[Path]] = {}
    for folder in sorted(path.iterdir()):
        if folder.name.startswith("."):
            continue
        if not folder.name.isprintable():
            raise FillbenchError(f"the class folder {folder.name!r} has a name that cannot be printed; rename it")
        if not folder.is_dir():
            raise FillbenchError(f"'{folder}' lies where class folders are expected; move or delete it")
        name = class_of(folder.name)
        if name in found:
            raise FillbenchError(f"two folders of '{path}' are called '{name}', in two Unicode forms; rename one")
        found[name] = sorted(f for f in folder.iterdir() if not f.name.startswith((".", "Thumbs.db")))
        if not found[name]:
            raise FillbenchError(f"class folder '{folder}' is empty")
        if inner := next((f for f in found[name] if f.is_dir()), None):
            raise FillbenchError(
                f"'{inner}' is a folder within the class folder '{folder}'; images must lie right in a class folder, "
                "<class>/* or train/<class>/* and test/<class>/*"
            )
    return found


def _check_classes(
    names: tuple[str, ...], other: set[str], folders: dict[str, Path], learned: tuple[str, ...], tested: tuple[str, ...]
) -> None:
    """Raises FillbenchError unless there are two classes or more, the same in what is learned from and tested on."""
    if len(names) < 2:
        raise FillbenchError(
            f"'{folders['train']}' has {len(names)} class folders; a classifier needs at least two, as <class>/* or "
            "as train/<class>/* and test/<class>/*"
        )
    if odd := sorted(set(names) ^ other):
        lacking = " or ".join(str(folders[part]) for part in (tested if odd[0] in names else learned))
        raise FillbenchError(
            f"class '{odd[0]}' is not in {lacking}: every class needs images to learn from and to test on"
        )


def _tell_masks(files: list[Path], notes: Notes) -> None:
    """Warns of files named as the masks of files beside them."""
    stems = {(file.parent, file.stem) for file in files}
    masks = [f for f in files if (m := MASK.search(f.stem)) and (f.parent, f.stem[: m.start()]) in stems]
    if masks:
        notes.facts["masks"] = len(masks)
        notes.warn(
            f"{len(masks)} files are named as masks of others, such as '{masks[0].name}', and count as images; "
            "if they are masks, move them out of the class folders"
        )


def _split(
    path: Path, train: Labelled, test: Labelled, names: tuple[str, ...], options: ReadOptions, notes: Notes
) -> tuple[Labelled, Labelled]:
    """Train and test as they are, or a quarter of train for testing; no group on both sides, or it is told."""
    everything = [*train, *test]
    groups = None
    if options.group is not None:
        groups = groups_of(options.group, [file.relative_to(path).as_posix() for file, _ in everything])
    held = np.arange(len(train), len(everything))
    if not test:
        kept, held = hold_back(np.array([label for _, label in train], np.int64), names, groups)
        train, test = [everything[index] for index in kept], [everything[index] for index in held]
    if groups is not None:
        kept = np.setdiff1d(np.arange(len(everything)), held)
        tested = {groups[index] for index in held}
        shared = tested & {groups[index] for index in kept}
        notes.facts["groups"] = {"pattern": options.group, "groups": len(set(groups)), "in_test": len(tested)}
        if shared:
            notes.facts["groups"]["in_both"] = len(shared)
            notes.warn(
                f"{len(shared)} of the {len(tested)} groups that are tested on, such as '{sorted(shared)[0]}', are in "
                "train too: what is learned of them helps the test"
            )
    return train, test
