"""Names of files and folders for texts that people gave."""

from __future__ import annotations

import hashlib
import re

LONGEST = 100  # characters; file systems take 255 bytes


def file_name(text: str) -> str:
    """A name of a file or folder for any text: another one for every other text, and never too long."""
    plain = re.sub(r"[^A-Za-z0-9.,=_-]", "_", text)
    if plain == text and len(text) <= LONGEST:
        return text
    return f"{plain[:LONGEST]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
