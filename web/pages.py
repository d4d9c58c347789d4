"""What every page needs: the runs, and the templates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from ..reports.html import TEMPLATES as REPORT_TEMPLATES
from .library import Library, OpenRun

HERE = Path(__file__).parent


class Pages:
    """The runs in `folders`, and pages over them. Raises FillbenchError for a folder that holds no run."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.library = Library(folders)
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(HERE / "templates"), FileSystemLoader(REPORT_TEMPLATES)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def opened(self, run_id: str) -> OpenRun:
        """The run of that id. Raises HTTPException where there is none: no address reaches another folder."""
        if run_id not in self.library.runs:
            raise HTTPException(404, "there is no such run")
        return self.library.runs[run_id]

    def text(self, template: str, /, **values: Any) -> str:
        """A page; every text from a run or a visitor is escaped."""
        return self._environment.get_template(template).render(**values)

    def page(self, template: str, /, status: int = 200, **values: Any) -> HTMLResponse:
        """The same, as an answer."""
        return HTMLResponse(self.text(template, **values), status)
