"""report.html: one file with its styles, script and pictures inside."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from . import evidence, pareto, views
from .comparisons import FEWEST_SEEDS
from .figures import FIGURES, SECTIONS
from .leaderboard import contenders
from .mistakes import change_rows, leading_generator, mistakes_shown
from .numbers import listed
from .pictures import Picture
from .previews import Shown, by_class, preview_of
from .records import Run
from .sensitivity import Sensitivity
from .usefulness import sentence, usefulness
from .words import answer, beyond_controls, cells_done, looked_before, missing, notices, rare, standing, warnings

TEMPLATES = Path(__file__).parent / "templates"


def page(
    run: Run, board: pd.DataFrame, pictures: dict[str, Picture], samples: list[Shown], sensitivity: Sensitivity | None
) -> str:
    """The whole page."""
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return rendered(
        "report.html.j2",
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        run=run.run,
        sections=_sections(run, pictures),
        **_words(run, board),
        **_tables(run, board),
        sensitivity=sensitivity,
        samples=by_class(run, samples, preview_of(run.run["kind"])),
        mistakes=_mistakes(run, board),
    )


def rendered(template: str, **values: Any) -> str:
    """A page with its styles inside; every text from a user is escaped by the template."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(style=style, **values)


def _sections(run: Run, pictures: dict[str, Picture]) -> list[dict[str, Any]]:
    """Every section with its figures."""
    return [
        {
            "name": section.name,
            "link": section.link,
            "title": run.said(section.title),
            "plots": [
                {
                    "title": run.said(plot.title),
                    "alt": run.said(plot.alt),
                    "caption": run.said(plot.caption),
                    "empty": run.said(plot.empty),
                    "picture": pictures.get(plot.name),
                }
                for plot in FIGURES.values()
                if plot.section == section.name
            ],
        }
        for section in SECTIONS
    ]


def _words(run: Run, board: pd.DataFrame) -> dict[str, Any]:
    planned = len(run.arms) * len(run.seeds)
    return {
        "rare": rare(run),
        "answer": answer(run, board),
        "standing": standing(run, board),
        "beyond": beyond_controls(run, board),
        "warnings": [
            text for text in (looked_before(run), missing(run, board), warnings(run, board), *notices(run)) if text
        ],
        "cells": cells_done(run),
        "unfinished": len(run.records) < planned,
        "compared": len(contenders(run, board)),
        "floor": run.said("{floor}"),
        "ceiling": run.said("{ceiling}"),
        "has_ceiling": run.ceiling is not None,
        "controls": listed(run.controls),
        "fewest_seeds": FEWEST_SEEDS,
        "facts": views.facts(run),
    }


def _mistakes(run: Run, board: pd.DataFrame) -> dict[str, Any]:
    preview, arm = preview_of(run.run["kind"]), leading_generator(run, board)
    return {
        "rows": change_rows(run, board),
        "arm": arm,
        "cards": preview.cards(run, mistakes_shown(run, arm)),
        "template": f"previews/{preview.template}",
    }


def _tables(run: Run, board: pd.DataFrame) -> dict[str, Any]:
    found = usefulness(run, board)
    reading = {key: value for key, value in run.dataset["reading"].items() if key != "warnings"}
    return {
        "groups": views.leaderboard_groups(run, board),
        "leading": views.leading_heads(run),
        "others": views.other_heads(run),
        "counts": views.count_rows(run, board),
        "verdicts": evidence.verdict_tables(run, board),
        "headrooms": evidence.headrooms(board),
        "beside": evidence.beside_rows(run, board),
        "sentences": evidence.sentences(run, board),
        "audits": evidence.audit_rows(run, board),
        "usefulness": found,
        "pareto": {
            "sentence": pareto.told(run, board),
            "seconds": pareto.chart(pareto.points_by(run, board, "seconds"), "s"),
            "memory": pareto.chart(pareto.points_by(run, board, "peak_memory_mb"), "MB"),
        },
        "usefulness_sentence": sentence(found),
        "troubles": views.troubles(run, board),
        "reading": {"fingerprint": run.dataset["fingerprint"], **reading},
    }
