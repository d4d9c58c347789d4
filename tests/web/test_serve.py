"""Starting the server: what it says, and what it refuses."""

from __future__ import annotations

import socket

import pytest
import uvicorn
from click.testing import CliRunner

from fillbench import FillbenchError
from fillbench.cli import command
from fillbench.tests.predicted import filled
from fillbench.web.serve import check_ready, serve


@pytest.fixture
def folder(fake):
    return filled(fake, {"none": [0.3] * 3, "dcgan": [0.6] * 3}).path


@pytest.fixture
def started(monkeypatch):
    """What the server would have been started with."""
    options = {}
    monkeypatch.setattr(uvicorn, "run", lambda app, **given: options.update(given))
    return options


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_it_is_for_this_machine_alone_and_says_where(folder, started):
    port = free_port()
    told = CliRunner().invoke(command, ["serve", str(folder), "--port", str(port)])
    assert told.output.startswith(f"http://127.0.0.1:{port}/\n")
    assert started["host"] == "127.0.0.1"


def test_for_others_it_takes_a_token_which_is_printed_and_new_each_time(folder, started):
    tokens = set()
    for _ in range(2):
        told = CliRunner().invoke(command, ["serve", str(folder), "--port", str(free_port()), "--host", "0.0.0.0"])
        tokens.add(told.output.partition("?token=")[2].split()[0])
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 32
    assert started["host"] == "0.0.0.0"


def test_an_address_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FillbenchError, match=rf"127\.0\.0\.1:{port} cannot be had \(.*\); choose another --port"):
            check_ready("127.0.0.1", port)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(FillbenchError, match="is no run folder"):
        serve([tmp_path], None, free_port(), False)
