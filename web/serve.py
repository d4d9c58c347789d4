"""Starts the server."""

from __future__ import annotations

import importlib.util
import secrets
import socket
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from threading import Timer

import click

from ..errors import FillbenchError, why
from ..records import read_run

LOOPBACK = "127.0.0.1"
NEEDED = ("fastapi", "uvicorn", "python_multipart")


def serve(folders: Sequence[Path], host: str | None, port: int, open_browser: bool) -> None:
    """Serves pages over the runs in `folders` until it is interrupted; with `host` to whoever has the token.

    Raises FillbenchError for a folder that holds no run, an address that cannot be had, or without FastAPI.
    """
    for folder in folders:
        read_run(folder)
    check_ready(host or LOOPBACK, port)
    import uvicorn

    from .app import create_app

    token = secrets.token_urlsafe(24) if host else None
    names = [] if host is None else [host, socket.gethostname(), socket.getfqdn()]
    app = create_app(folders, names, token)
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host or LOOPBACK
    address = f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
    click.echo(f"{address}\nCtrl-C ends it")
    if open_browser:
        Timer(1, webbrowser.open, [address]).start()
    uvicorn.run(app, host=host or LOOPBACK, port=port, log_level="warning", server_header=False, timeout_keep_alive=5)


def demo(out: Path, port: int) -> None:
    """Makes a small run with its models in the folder `out`, or goes on with it, and opens the page on it."""
    check_ready(LOOPBACK, port)
    from ..benchmark.api import run

    run(preset="demo", out=str(out))
    serve([out], None, port, open_browser=True)


def check_ready(host: str, port: int) -> None:
    """Raises FillbenchError where a page cannot be served, with what would mend it."""
    if lacking := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise FillbenchError(f"the page needs {' and '.join(lacking)}: pip install -e '.[web]'")
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        reason = why(error).partition(" (while")[0]
        raise FillbenchError(f"{host}:{port} cannot be had ({reason}); choose another --port or --host") from None
