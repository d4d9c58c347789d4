"""What is read of a run's folder is what was promised, or an error says what is not."""

from __future__ import annotations

import json

import pytest

from fillbench.errors import FillbenchError
from fillbench.records import SCHEMA, blank, read_json, read_record, read_run

RECORD = blank("none", 0, "ab", [1, 2])


def written(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_blank_record_has_every_key(tmp_path):
    assert read_record(written(tmp_path / "r.json", RECORD)) == RECORD


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": None}, "metrics: Input should be"),
        ({"status": "great"}, "status: Input should be"),
        ({"images": {}}, "it has an unknown key, images"),
        ({"schema": SCHEMA + 1}, f"schema {SCHEMA + 1}, not of schema {SCHEMA}; delete it and repeat"),
        ({"audit": {"features": "x", "flags": [], "classes": {"2": {"flags": []}}}}, "lacks audit.classes.2.real"),
    ],
)
def test_a_record_that_breaks_a_promise_is_told_with_the_key(tmp_path, change, message):
    with pytest.raises(FillbenchError, match=message):
        read_record(written(tmp_path / "r.json", RECORD | change))


def test_figures_that_an_audit_brings_are_kept(tmp_path):
    entry = {"flags": [], "real": {}, "synthetic": {}, "confused_with": None, "sharpness": 0.25}
    audit = {"features": "x", "flags": [], "classes": {"2": entry}}
    assert read_record(written(tmp_path / "r.json", RECORD | {"audit": audit}))["audit"]["classes"]["2"] == entry


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": -Infinity}'])
def test_what_is_no_json_number_is_refused(tmp_path, text):
    with pytest.raises(FillbenchError, match="which is no JSON"):
        read_json(written(tmp_path / "r.json", text))


def test_a_run_of_an_earlier_version_is_refused_with_what_to_type(tmp_path):
    folder = tmp_path / "my run"
    folder.mkdir()
    written(folder / "run.json", {"command": "benchmark run --generators smote", "seeds": [0]})
    with pytest.raises(FillbenchError) as error:
        read_run(folder)
    told = str(error.value)
    assert "an earlier version, without a schema, and this version reads schema 1" in told
    assert told.endswith(f"benchmark run --generators smote --out '{folder}-again'")


def test_a_run_of_another_schema_without_a_command_is_refused_too(tmp_path):
    written(tmp_path / "run.json", {"schema": 0})
    with pytest.raises(FillbenchError, match=r"is of schema 0, .* benchmark run … --out "):
        read_run(tmp_path)


def test_a_run_json_that_lacks_a_key_is_told_with_it(tmp_path):
    written(tmp_path / "run.json", {"schema": SCHEMA})
    with pytest.raises(FillbenchError, match=r"run\.json' is damaged: it lacks fillbench; choose another --out"):
        read_run(tmp_path)
