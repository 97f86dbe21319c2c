"""What `manage.py evaluate` and `manage.py compare` share: options, splits, one run, and where the result goes."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from apps.catalog import selectors as catalog
from apps.recommend.contestants import Contestant
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.evaluate import METRIC_NAMES, Protocol, Slicer, evaluate_tasks
from apps.recommend.engine.evaluation.html_report import page
from apps.recommend.engine.evaluation.report import Report
from apps.recommend.engine.evaluation.slices import groupings
from apps.recommend.engine.evaluation.splits import Split, leave_last_out, strong_generalisation
from apps.recommend.engine.evaluation.tables import day
from apps.recommend.engine.evaluation.tasks import Task, rolling_cutoffs, task_split
from apps.recommend.engine.progress import listening
from apps.recommend.engine.registries import ALGORITHMS, METRICS
from apps.recommend.engine.types import DAY, Interactions, Items
from apps.recommend.memory import limit_memory
from apps.recommend.snapshot import Snapshot

SEED = 20_261_121
NEW, REPEATS = "new to the user", "repetition allowed"
NEW_ITEMS = ("new items", "new items that nobody has met yet")
NEW_ITEM_DAYS = 30.0
LIKENESS = "diversity_by_vectors"  # the metric that wants to know how alike items are


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of both commands."""
    parser.add_argument("--holdout-days", type=float, default=30.0, metavar="D", help="days to foresee (30)")
    parser.add_argument("--cutoffs", type=int, default=1, metavar="N", help="split N times, D days apart, and pool (1)")
    parser.add_argument("--at", metavar="DATE", help="start of the (last) window, UTC, YYYY-MM-DD; default: D days ago")
    parser.add_argument(
        "--split",
        choices=["time", "last-item", "unknown-users"],
        default="time",
        help="by time (default); each user's last item; or users whom no model has learned from, told 80 %% of them",
    )
    parser.add_argument("--k", type=int, nargs="+", default=[10], help="lengths of the lists (10)")
    parser.add_argument(
        "--new-only",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="foresee only what is new to the user (default), or repetition too",
    )
    parser.add_argument("--both", action="store_true", help="one after the other, reported separately")
    parser.add_argument(
        "--truncate", type=int, nargs="+", default=[], metavar="N", help="also tell models only a user's last N items"
    )
    parser.add_argument(
        "--new-items",
        type=float,
        nargs="?",
        const=NEW_ITEM_DAYS,
        metavar="DAYS",
        help=f"also ask only for items that came within DAYS ({NEW_ITEM_DAYS:.0f}) before the split: with what is "
        "known of them, and as if nobody had met them yet",
    )
    parser.add_argument("--events", nargs="+", help="event types to foresee; default: all that speak for an item")
    parser.add_argument("--users", type=int, metavar="N", help="test a random sample of N users in each window")
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help=f"default: all; known: {', '.join(METRICS)}")
    parser.add_argument("--no-slices", action="store_true", help="no figures by history, age and category")
    parser.add_argument("--budget-minutes", type=float, metavar="M", help="stop after M minutes with what is there")
    parser.add_argument("--memory-gb", type=float, metavar="GB", help="use no more; what needs more is left out")
    parser.add_argument("--threads", type=int, metavar="N", help="for ranking; default: one a core")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures to FILE")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page with plots to FILE")


def run(
    title: str,
    contestants: Sequence[Contestant],
    options: Mapping[str, Any],
    *,
    against: Callable[[str], Sequence[str]],
) -> Report:
    """Fit and ask all contestants; `against` names those that a task's figures are held against.

    Raises NotEnoughData, OutOfTime and CommandError.
    """
    _check(options)
    if options["memory_gb"] is not None:
        limit_memory(options["memory_gb"])
    metrics = options["metrics"] or [*METRIC_NAMES, *(name for name in METRICS if name not in METRIC_NAMES), LIKENESS]
    likeness = ALGORITHMS.create("content") if LIKENESS in metrics else None
    snapshot = Snapshot.now()
    texts = likeness is not None or any(one.reads_texts for one in contestants)
    items = snapshot.items_with_texts if texts else snapshot.items
    interactions = snapshot.interactions_for(*(one.algorithm for one in contestants))
    tasks, notes = _splits(interactions, items, options)
    protocol = Protocol(
        seed=options["seed"],
        ks=sorted(set(options["k"])),
        metrics=metrics,
        slicer=None if options["no_slices"] else _slicer(interactions, items),
        likeness=likeness,
        budget_seconds=None if options["budget_minutes"] is None else 60 * options["budget_minutes"],
        threads=options["threads"],
    )
    with _progress():
        found = evaluate_tasks(
            {one.name: one.algorithm for one in contestants},
            items,
            tasks,
            protocol,
            baselines={task: against(task) for task in tasks},
        )
    notes += [f"Left out: {name}: the time allowed was over." for name in tasks if name not in found]
    return Report(
        title=title,
        made_at=int(timezone.now().timestamp()),
        data=_described(interactions),
        cores=os.cpu_count() or 1,
        seed=options["seed"],
        tasks=found,
        parameters={one.name: one.parameters for one in contestants},
        notes=[*notes, *(note for one in contestants for note in one.notes)],
    )


def write(report: Report, options: Mapping[str, Any], command: BaseCommand) -> None:
    """Write the files that were asked for, and say so."""
    for option, content in (("json", lambda: report.to_json() + "\n"), ("html", lambda: page(report))):
        path = options[option]
        if path is not None:
            try:
                path.write_text(content(), encoding="utf-8")
            except OSError as problem:
                raise CommandError(f"--{option}: {path} cannot be written: {problem.strerror}.") from problem
            command.stdout.write(f"\nWritten to {path}.")


def _check(options: Mapping[str, Any]) -> None:
    for option in ("k", "truncate"):
        if min(options[option], default=1) < 1:
            raise CommandError(f"--{option} counts from 1.")
    for option in ("cutoffs", "users", "threads"):
        if options[option] is not None and options[option] < 1:
            raise CommandError(f"--{option} counts from 1, not {options[option]}.")
    for option in ("holdout_days", "new_items", "budget_minutes", "memory_gb"):
        if options[option] is not None and not options[option] > 0:
            raise CommandError(f"--{option.replace('_', '-')} must be more than 0, not {options[option]:g}.")
    known = {*METRICS, LIKENESS}
    for name in options["metrics"] or []:
        if name not in known:
            raise CommandError(f"--metrics: no metric is called {name!r}. Known: {', '.join(sorted(known))}.")


def _tasks(options: Mapping[str, Any]) -> dict[str, Task]:
    new_only = bool(options["new_only"])
    tasks = {NEW if new_only else REPEATS: Task(new_only=new_only)}
    if options["both"]:
        tasks = {NEW: Task(new_only=True), REPEATS: Task(new_only=False)}
    for count in sorted(set(options["truncate"])):
        name = f"users known by {count} item{'s' if count > 1 else ''}"
        tasks[name] = Task(new_only=new_only, known_items=count)
    if options["new_items"] is not None:
        for name, hidden in zip(NEW_ITEMS, (False, True), strict=True):
            tasks[name] = Task(new_only=new_only, new_items_days=options["new_items"], hide_new_items=hidden)
    return tasks


def _splits(
    interactions: Interactions, items: Items, options: Mapping[str, Any]
) -> tuple[dict[str, list[Split]], list[str]]:
    """The splits of each task, and what is to be said about those that there could not be."""
    known = sorted(worth.name for worth in interactions.worth.values())
    for name in options["events"] or []:
        if name not in known:
            raise CommandError(f"--events: no event type is called {name!r}. Known: {', '.join(known)}.")
    rng = np.random.default_rng(options["seed"])
    events, users = options["events"], options["users"]
    if options["split"] == "last-item":
        split = leave_last_out(interactions, events=events, new_only=options["new_only"])
        return {"last item of each user": [split if users is None else split.sample(users, rng)]}, []
    if options["split"] == "unknown-users":
        count = users or max(1, interactions.n_users // 10)
        return {"unknown users": [strong_generalisation(interactions, users=count, rng=rng, events=events)]}, []
    found: dict[str, list[Split]] = {}
    notes = []
    missing: NotEnoughData | None = None
    for at, until in _windows(interactions, options):
        train = interactions.before(at)
        for name, task in _tasks(options).items():
            try:
                split = task_split(interactions, train, task, at=at, until=until, items=items, events=events)
            except NotEnoughData as lack:
                notes.append(f"Left out: {name}, {day(at)} to {day(until)}: it {lack}.")
                missing = lack
                continue
            found.setdefault(name, []).append(split if users is None else split.sample(users, rng))
    if not found and missing is not None:
        raise missing
    return found, notes


def _windows(interactions: Interactions, options: Mapping[str, Any]) -> list[tuple[int, int]]:
    days, count = options["holdout_days"], options["cutoffs"]
    starts = rolling_cutoffs(interactions, count=count, days=days)
    if options["at"]:
        try:
            last = int(datetime.strptime(options["at"], "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
        except ValueError as problem:
            raise CommandError(f"--at is a date such as 2011-11-09, not {options['at']!r}.") from problem
        starts = [int(last - number * days * DAY) for number in range(count - 1, -1, -1)]
    return [(at, int(at + days * DAY)) for at in starts]


def _slicer(interactions: Interactions, items: Items) -> Slicer:
    names = {number: node.name for number, node in catalog.category_tree().nodes.items()}
    return lambda split: groupings(split, interactions, items, names)


def _described(interactions: Interactions) -> str:
    times = interactions.times
    return (
        f"{len(interactions):,} events of {interactions.n_users:,} users with {interactions.n_items:,} items, "
        f"{day(int(times.min()))} to {day(int(times.max()))}"
    )


@contextmanager
def _progress() -> Iterator[None]:
    """A bar on stderr for models fitted and asked, with what is being done beside it."""
    layout = "{desc}: {percentage:3.0f}% |{bar:30}| {postfix} {elapsed}"
    with tqdm(total=1, desc="evaluate", bar_format=layout, leave=False, disable=None, file=sys.stderr) as bar:

        def show(what: str, done: int, total: int) -> None:
            if what == "evaluate":
                bar.total = max(total, 1)
                bar.update(done - bar.n)
            else:
                bar.set_postfix_str(f"{what} {done}/{total}" if total > 1 else what)

        with listening(show):
            yield
