"""report.html: one file with its styles, script and pictures inside."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from . import evidence, views
from .figures import CLASSES_SHOWN, Picture, Strip, strip_uris
from .leaderboard import contenders
from .records import METRICS, Run
from .verdicts import best_control
from .words import answer, beyond_controls, cells_done, rare, standing, warnings

TEMPLATES = Path(__file__).parent / "templates"


def page(run: Run, board: pd.DataFrame, pictures: dict[str, Picture], strips: list[Strip]) -> str:
    """The whole page; every text from a user is escaped by the template."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        run=run.run,
        pictures=pictures,
        **_words(run, board),
        **_tables(run, board),
        samples=_samples(run, strips),
    )


def _words(run: Run, board: pd.DataFrame) -> dict[str, Any]:
    planned = len(run.arms) * len(run.seeds)
    return {
        "rare": rare(run),
        "answer": answer(run, board),
        "standing": standing(run, board),
        "beyond": beyond_controls(run, board),
        "warnings": warnings(run, board),
        "cells": cells_done(run),
        "unfinished": len(run.records) < planned,
        "compared": len(contenders(run, board)),
        "has_full": "full" in run.arm_names,
        "facts": views.facts(run),
    }


def _tables(run: Run, board: pd.DataFrame) -> dict[str, Any]:
    return {
        "groups": views.leaderboard_groups(run, board),
        "metric_labels": [views.LABELS[metric] for metric in METRICS],
        "counts": views.count_rows(run, board),
        "verdicts": evidence.verdict_rows(run, board),
        "best_control": best_control(run) or "",
        "audits": evidence.audit_rows(run, board),
        "troubles": views.troubles(run, board),
    }


def _samples(run: Run, strips: list[Strip]) -> dict[str, Any]:
    """The strips by class, and how many rare classes are left out."""
    uris = strip_uris(strips)
    classes = []
    for label in dict.fromkeys(strip.label for strip in strips):
        cards = [
            {"arm": strip.arm, "seed": strip.seed, "real": real, "synthetic": made, "nearest": nearest}
            for strip, (real, made, nearest) in zip(strips, uris, strict=True)
            if strip.label == label
        ]
        classes.append({"name": run.class_names[label], "cards": cards})
    return {"classes": classes, "left_out": max(0, len(run.minority) - CLASSES_SHOWN)}
