"""The command `benchmark`."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .benchmark.config import RunConfig, resolve
from .errors import FillbenchError

if TYPE_CHECKING:
    from .records import Record


def main() -> None:
    """Runs the command; people's errors end as one line, Ctrl-C as a hint how to go on."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = command.main(standalone_mode=False, prog_name="benchmark")
    except FillbenchError as error:
        click.echo(f"benchmark: {error}", err=True)
        status = 2
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        folder = str(error) or str(error.__cause__ or "")
        again = f": everything finished is kept; the same command with --out {folder} goes on" if folder else ""
        click.echo(f"benchmark: interrupted{again}", err=True)
        status = 130
    except BrokenPipeError:  # `benchmark list … | head`
        sys.stderr.close()
        status = 0
    sys.exit(status if isinstance(status, int) else 0)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="fillbench")
def command() -> None:
    """Does filling a rare class with generated images make the classifier better at it?"""


def _run_options(function: Callable[..., Any], leave_out: tuple[str, ...] = ()) -> Callable[..., Any]:
    """One option per field of RunConfig; not given is None, so that a preset can tell."""
    for f in reversed(fields(RunConfig)):
        if f.name in leave_out:
            continue
        many = f.name in ("set", "plugin")
        options: dict[str, Any] = {"help": f.metadata["help"], "multiple": many, "default": None}
        if f.type == "bool":
            options |= {"is_flag": True, "type": bool}
        else:
            options |= {"type": str, "metavar": f.metadata["metavar"]}
        if not many and f.default not in (None, False) and isinstance(f.default, str | int | float | tuple):
            shown = ",".join(f.default) if isinstance(f.default, tuple) else f.default
            options["help"] += f"  [default: {shown}]"
        function = click.option(f"--{f.name.replace('_', '-')}", f.name, **options)(function)
    return function


@command.command("run")
@click.option(
    "--preset",
    help="A built-in preset or a YAML file; its keys are these flags, which win over it.",
    metavar="NAME|FILE",
)
@_run_options
def run_command(preset: str | None, **flags: Any) -> int:
    """Fill, train, evaluate and report, for every generator and seed.

    Without flags: the preset `digits`, five classes of scikit-learn's digits cut to 5 images, every generator, 5 seeds.
    """
    config = resolve(flags, preset)
    from .benchmark.data import prepare

    data = prepare(config)
    from .benchmark.runner import run  # PyTorch is slow to import

    leaderboard, run_dir, records = run(config, data)
    columns = [
        "arm",
        "status",
        "rare_ap_mean",
        "balanced_accuracy_mean",
        "minority_recall_mean",
        "verdict_vs_none",
        "verdict_vs_controls",
        "flags",
    ]
    click.echo(leaderboard[columns].to_string(index=False, float_format="%.3f", na_rep="-"))
    click.echo(f"\nreport: {run_dir / 'report.html'}")
    return _told_failures(records)


def _told_failures(records: list[Record]) -> int:
    """Names the arms that failed; returns the exit status."""
    failed = sorted({record["arm"] for record in records if record["status"] == "failed"})
    if failed:
        click.echo(f"benchmark: failed: {', '.join(failed)}; the reasons are in the report", err=True)
    return 1 if failed else 0


@command.command("sweep")
@click.option(
    "--over",
    multiple=True,
    help="A setting and its values: an option of `run`, or NAME.KEY as --set has it. Several: all combinations.",
    metavar="KEY=VALUE,VALUE",
)
@click.option("--pairs", is_flag=True, help="Several --over side by side: the first values, then the second ones.")
@click.option("--preset", help="A built-in preset or a YAML file, as of `run`.", metavar="NAME|FILE")
@partial(_run_options, leave_out=("sensitivity",))
def sweep_command(over: tuple[str, ...], pairs: bool, preset: str | None, **flags: Any) -> int:
    """Ask the question of `run` at several values of a setting: how much, and from where on does it hurt?

    Such as --over fill=0,0.25,0.5,1,2 --over keep=10,20,40. What points have in common is done once.
    """
    from .benchmark.points import prepare

    asked = prepare(flags, preset, over, pairs)
    from .benchmark.sweep import sweep  # PyTorch is slow to import

    _, out, records = sweep(asked)
    click.echo(f"report: {out / 'sweep.html'}")
    return _told_failures(records)


@command.command("list")
@click.argument("what", type=click.Choice(["generators", "strategies", "datasets", "classifiers", "presets"]))
@click.option("--plugin", multiple=True, metavar="FILE", help="A Python file that registers generators.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_command(what: str, plugin: tuple[str, ...], as_json: bool) -> None:
    """What there is to choose from."""
    from .benchmark import listing

    found = listing.LISTS[what](plugin)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        width = max(len(name) for name in found)
        click.echo("\n".join(f"{name:{width}}  {text}".rstrip() for name, text in found.items()))


@command.command("report")
@click.argument("run_dir", type=click.Path(path_type=Path))
def report_command(run_dir: Path) -> None:
    """Write the report of RUN_DIR, the folder of a run or of a sweep, again, from its records."""
    if (run_dir / "sweep.json").is_file():
        from .reports.sweep import write

        write(run_dir)
        click.echo(run_dir / "sweep.html")
        return
    from .reports import write_report

    write_report(run_dir)
    click.echo(run_dir / "report.html")


@command.command("compare")
@click.argument("run_dirs", nargs=-1, required=True, metavar="RUN_DIR...", type=click.Path(path_type=Path))
@click.option(
    "--out", default="comparison", show_default=True, type=click.Path(path_type=Path), help="Folder to write to."
)
def compare_command(run_dirs: tuple[Path, ...], out: Path) -> None:
    """Compare arms across runs of different data sets.

    Each arm against doing nothing and against the controls, by a paired t test over six data sets or more, with Holm's
    correction; a forest plot, and average ranks.
    """
    from .reports.across import write

    click.echo(f"{write(run_dirs, out)}\n\n{out / 'comparison.md'}")


@command.command("serve")
@click.argument("run_dirs", nargs=-1, required=True, metavar="RUN_DIR...", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--host", help="Let others reach it, by this name or address, with a token.  [default: 127.0.0.1]")
@click.option("--open", "open_browser", is_flag=True, help="Open it in the browser.")
def serve_command(run_dirs: tuple[Path, ...], port: int, host: str | None, open_browser: bool) -> None:
    """Show runs in the browser: what each asked and its answer, its report, two arms side by side."""
    from .web.serve import serve

    serve(run_dirs, host, port, open_browser)


@command.command("demo")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--out", default="runs/demo", show_default=True, type=click.Path(path_type=Path), help="Run folder.")
def demo_command(port: int, out: Path) -> None:
    """Make a small run on the built-in digits, with its models, and open the page on it."""
    from .web.serve import demo

    demo(out, port)


@command.command("export")
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.option("--arm", required=True, help="Which arm's filled data set.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--format", "form", type=click.Choice(["npy", "png", "csv"]), default="npy", show_default=True)
@click.option(
    "--what", type=click.Choice(["data", "model"]), default="data", show_default=True, help="model: of --keep-models."
)
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), help="A new folder.")
def export_command(run_dir: Path, arm: str, seed: int, form: str, what: str, target: Path) -> None:
    """Write the filled data set of one arm and seed, real and synthetic examples apart; or its kept models."""
    from .records import good_record, read_run

    good_record(run_dir, read_run(run_dir), arm, seed)  # PyTorch takes seconds to import
    from .benchmark.export import export, export_models

    if what == "model":
        click.echo(export_models(run_dir, arm, seed, target))
    else:
        click.echo(export(run_dir, arm, seed, form, target))


@command.command("check")
@click.argument("generator", metavar="NAME|FILE.py")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the generator: steps=50.")
@click.option("--device", default="auto", show_default=True)
def check_command(generator: str, settings: tuple[str, ...], device: str) -> int:
    """Hold a generator to the contract: the conformance suite for plug-in authors."""
    from .benchmark.precheck import check_generator

    check_generator(generator)
    from .benchmark.check import check

    results = check(generator, settings, device)
    for result in results:
        click.echo(f"{'pass' if result.passed else 'FAIL'}  {result.generator}: {result.name}")
        if not result.passed:
            click.echo(f"      {result.reason}")
    return 0 if all(result.passed for result in results) else 1
