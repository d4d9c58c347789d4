"""Names of classes, and the folders that stand for them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from urllib.parse import unquote

PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
NO_FILE_NAME = frozenset('%/\\:*?"<>|')


def plain(name: str) -> str:
    """A name in its composed form: file systems and keyboards write one accented letter in two ways."""
    return unicodedata.normalize("NFC", name)


def index_of(word: str, class_names: Sequence[str]) -> int | None:
    """The label of the class called `word`, in any Unicode form and with or without blanks around."""
    if word in class_names:
        return list(class_names).index(word)
    known = [plain(name).strip() for name in class_names]
    wanted = plain(word).strip()
    return known.index(wanted) if wanted in known else None


def part_of(name: str) -> str | None:
    """'train', 'val' or 'test' for one of its usual spellings in any case; None for another word."""
    return next((part for part, spellings in PARTS.items() if name.casefold() in spellings), None)


def folder_of(name: str) -> str:
    """A folder's name for a class of any name but the empty one; `class_of` reads it back.

    What some file system cannot write, or a reader takes for something else, becomes %XX as in a web address.
    """
    signs = [_coded(sign) if sign in NO_FILE_NAME or not sign.isprintable() else sign for sign in name]
    if name[0] == "." or part_of(name):
        signs[0] = _coded(name[0])
    if name[-1] in ". ":
        signs[-1] = _coded(name[-1])
    return "".join(signs)


def _coded(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode())


def class_of(folder: str) -> str:
    """The class that a folder stands for: what `folder_of` wrote is read back, another name stays as it is."""
    name = plain(folder)
    try:
        decoded = unquote(name, errors="strict")
    except UnicodeDecodeError:
        return name
    return decoded if folder_of(decoded) == name else name
