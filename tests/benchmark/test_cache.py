from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fillbench.benchmark.cache import Store, key_of
from fillbench.disk import write_atomically

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def write(text: str):
    def make(new: Path, work: Path) -> None:
        (new / "file.txt").write_text(text)

    return make


def refuse(new: Path, work: Path) -> None:
    raise AssertionError("made again")


@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), JSON, min_size=1), st.randoms())
def test_the_key_depends_on_content_and_not_on_order(parts, random):
    items = list(parts.items())
    random.shuffle(items)
    assert key_of(**parts) == key_of(**dict(items))


@given(st.lists(st.integers() | st.text(), max_size=3), st.lists(st.integers() | st.text(), max_size=3))
def test_different_parts_have_different_keys(one, other):
    assert (key_of(part=one) == key_of(part=other)) == (one == other)
    assert key_of(part=one) != key_of(other=one)


def test_keys_tell_a_number_from_its_text_and_from_a_truth():
    assert len({key_of(part=value) for value in (1, "1", True, 1.0, None, [1])}) == 6


def test_an_entry_is_made_once(tmp_path):
    store = Store(tmp_path)
    first = store.get("stage", "key", write("hello"))
    assert store.get("stage", "key", refuse) == first
    assert (first / "file.txt").read_text() == "hello"
    assert store.find("stage", "other") is None


def test_a_failure_is_never_cached_and_leaves_nothing_behind(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(AssertionError):
        store.get("stage", "key", refuse)
    assert store.find("stage", "key") is None
    assert not list((tmp_path / "new").iterdir())
    store.get("stage", "key", write("now it works"))


@pytest.mark.parametrize("name", ["file.txt", "checksums.json"])
def test_a_damaged_entry_is_set_aside_with_a_warning_and_made_again(tmp_path, name):
    store = Store(tmp_path)
    (store.get("stage", "key", write("hello")) / name).write_text("hellO")
    with pytest.warns(UserWarning, match="damaged"):
        path = store.get("stage", "key", write("again"))
    assert (path / "file.txt").read_text() == "again"
    aside = list((tmp_path / "damaged").iterdir())
    assert len(aside) == 1, "evidence is kept"


def test_a_missing_file_counts_as_damage(tmp_path):
    store = Store(tmp_path)
    (store.get("stage", "key", write("hello")) / "file.txt").unlink()
    with pytest.warns(UserWarning, match="damaged"):
        assert store.find("stage", "key") is None


def _slow(root: Path, log: Path) -> None:
    def make(new: Path, work: Path) -> None:
        with log.open("a") as file:
            file.write("made\n")
        time.sleep(0.3)
        (new / "file.txt").write_text("hello")

    Store(root).get("stage", "key", make)


def test_of_several_processes_that_ask_at_once_one_makes_it(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_slow, args=(tmp_path / "cache", tmp_path / "log")) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert (tmp_path / "log").read_text() == "made\n"


def test_where_two_make_the_same_entry_the_first_to_finish_stores_it(tmp_path):
    """As on a file system without locks."""
    theirs = Store(tmp_path / "theirs").get("stage", "key", write("same"))
    store = Store(tmp_path / "ours")

    def make(new: Path, work: Path) -> None:
        (new / "file.txt").write_text("same")
        shutil.copytree(theirs, tmp_path / "ours" / theirs.relative_to(tmp_path / "theirs"))

    path = store.get("stage", "key", make)
    assert (path / "file.txt").read_text() == "same"
    assert not list((tmp_path / "ours" / "new").iterdir())


def test_an_entry_may_hold_folders_whose_files_are_checked_too(tmp_path):
    def make(new: Path, work: Path) -> None:
        (new / "inner").mkdir()
        (new / "inner" / "file.txt").write_text("hello")

    store = Store(tmp_path)
    (store.get("stage", "key", make) / "inner" / "file.txt").write_text("hellO")
    with pytest.warns(UserWarning, match="damaged"):
        assert store.find("stage", "key") is None


def _killed(root: Path) -> None:
    def make(new: Path, work: Path) -> None:
        (new / "half.txt").write_text("half")
        (work / "checkpoint").write_text("step 5")
        os.kill(os.getpid(), signal.SIGKILL)

    Store(root).get("stage", "key", make)


def test_a_kill_half_way_leaves_no_entry_but_its_checkpoints(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=_killed, args=(tmp_path,))
    process.start()
    process.join()
    store = Store(tmp_path)
    assert store.find("stage", "key") is None

    def make(new: Path, work: Path) -> None:
        assert not list(new.iterdir()), "the half-made files are gone"
        assert (work / "checkpoint").read_text() == "step 5"
        (new / "file.txt").write_text("whole")

    path = store.get("stage", "key", make)
    assert (path / "file.txt").read_text() == "whole"
    assert not list((tmp_path / "work").iterdir()), "a finished entry needs no checkpoints"


def test_an_atomic_write_that_fails_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, "old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
