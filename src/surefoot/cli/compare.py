"""`surefoot compare`: run a study, or what is left of it, and leave a table and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RESULTS = Path("surefoot-results")

StorePath = Annotated[Path, typer.Option("--store", help="Where the results are kept (SQLite).")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


def compare(
    study: Annotated[
        str, typer.Argument(help="Which study (`surefoot list`), or your own task: FILE.py:NAME.")
    ] = "article",
    optimizer: Annotated[
        list[str] | None,
        typer.Option("--optimizer", "-o", help='Add an optimizer: -o rmsprop, -o "fast=sgd(lr=0.1, momentum=0.9)".'),
    ] = None,
    only: Annotated[bool, typer.Option("--only", help="Compare only those given with -o.")] = False,
    epochs: Annotated[int | None, typer.Option(help="How often each training image is seen.")] = None,
    seeds: Annotated[int | None, typer.Option(help="How many seeds measure each optimizer.")] = None,
    trials: Annotated[
        int | None, typer.Option(help="Tune each in so many trials, the best 3 on 3 seeds; 0: not.")
    ] = None,
    train_size: Annotated[
        int | None, typer.Option(help="Use only so many training images, validation included.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples in a training step.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="How much may be run: 20min, 1.5h, '16 trials' or '5 epochs'.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help="Learning-rate schedule of all: constant, cosine or warmup-cosine.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Another data set: kmnist or fashion-mnist.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder searched first for data files.")] = None,
    workers: Annotated[int | None, typer.Option(help="Trials at a time; default: one a core.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    runner: Annotated[str, typer.Option(help="Where trials run: local, or ray for a Ray cluster.")] = "local",
    address: Annotated[str | None, typer.Option(help="Of the Ray cluster: auto finds it.")] = None,
    gpus_per_trial: Annotated[float, typer.Option(help="On a Ray cluster; 0.25: four share a GPU.")] = 0.0,
    trial_timeout: Annotated[float | None, typer.Option(help="Seconds after which a trial has failed.")] = None,
    trial_memory: Annotated[str | None, typer.Option(help="What a trial may use at most, such as 4GB.")] = None,
    logdir: Annotated[Path | None, typer.Option(help="Folder for TensorBoard's event files.")] = None,
    checkpoints: Annotated[
        str | None, typer.Option(help="Folder or URL (s3://...) for checkpoints; default: the store.")
    ] = None,
    store: StorePath = RESULTS / "results.sqlite",
    report: Annotated[Path, typer.Option(help="Where the report goes.")] = RESULTS / "report.html",
    all_small: Annotated[
        bool, typer.Option("--all-small", help="Run every small study and say what they show together.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and train nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Train every optimizer of a study and compare them. The same command again goes on where it stopped.

    Example: surefoot compare article -o "sgd(lr=0.1, momentum=0.9)" --seeds 3
    """
    from surefoot.cli.run import run
    from surefoot.comparison.request import Options, ask
    from surefoot.files import check_writable
    from surefoot.workers.limits import Limits, parse_bytes
    from surefoot.workers.runner import Runner

    options = Options(
        optimizers=tuple(optimizer or ()),
        only=only,
        epochs=epochs,
        seeds=seeds,
        trials=trials,
        train_size=train_size,
        batch_size=batch_size,
        budget=budget,
        schedule=schedule,
        workers=workers,
        device=device,
        dataset=dataset,
        data_dir=data_dir,
        runner=Runner(
            name=runner,
            address=address,
            gpus=gpus_per_trial,
            limits=Limits(trial_timeout, parse_bytes(trial_memory) if trial_memory else None),
            checkpoints=checkpoints,
        ),
    )
    if all_small:
        from surefoot.cli.suite import compare_small

        compare_small(options, store, report, dry_run=dry_run, as_json=as_json)
        return
    request = ask(study, options)
    if dry_run:
        from surefoot.cli.dry_run import tell

        tell(request.plan(request.wanted), store, as_json=as_json)
        return
    check_writable(report)
    ran = run(request, store, logdir)
    from surefoot.analysis import summarize
    from surefoot.cli.result import conclude  # with all that draws, only now that the training is done

    conclude(summarize(ran.records, ran.design), store, report, as_object=as_json)
    if ran.failed:
        raise typer.Exit(1)
