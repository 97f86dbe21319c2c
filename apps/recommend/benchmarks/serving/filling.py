"""Puts a `World` into the database of the process, by COPY: for the benchmark's own database only."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

import numpy as np
from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, models
from numpy.typing import NDArray

from apps.recommend.benchmarks.serving.world import Histories, World

Say = Callable[[str], None]


def fill(world: World, histories: Histories, users: int, say: Say) -> None:
    """Categories, items, users and events; statistics are brought up to date, so that queries find their plans."""
    _categories(world)
    _items(world)
    say(f"{len(world):,} items in the database")
    _users(users, histories)
    say(f"{users:,} users")
    _events(histories)
    say(f"{len(histories):,} events")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _categories(world: World) -> None:
    """The groups on top, below each the clusters that belong to it."""
    groups = int(world.groups.max()) + 1
    leaves = len(world.groups)
    ids = range(1, groups + leaves + 1)
    names = [f"group {one}" for one in range(groups)] + [f"kind {one}" for one in range(leaves)]
    _copy(
        "catalog.Category",
        {
            "id": ids,
            "external_id": [name.replace(" ", "-") for name in names],
            "name": names,
            "parent_id": [None] * groups + (world.groups + 1).tolist(),
        },
    )


def _items(world: World) -> None:
    size = len(world)
    ids = range(1, size + 1)
    cluster, brand = world.clusters.tolist(), world.brands.tolist()
    colour, season = world.colour_names.tolist(), world.seasons.tolist()
    titles = [f"{of} article {row} of kind {kind}" for row, (of, kind) in enumerate(zip(colour, cluster, strict=True))]
    _copy(
        "catalog.Item",
        {
            "id": ids,
            "external_id": [f"i{row}" for row in range(size)],
            "title": titles,
            "brand": [f"Brand {one}" for one in brand],
            "price": world.prices.tolist(),
            "currency": repeat("GBP"),
            "stock": [None if row % 3 else (row // 3) % 50 for row in range(size)],
            "tags": ['["sale"]' if row % 10 == 0 else "[]" for row in range(size)],
            "url": [f"https://shop.example/articles/{row}" for row in range(size)],
            "image_url": [f"https://shop.example/pictures/{row}.jpg" for row in range(size)],
            "published_at": _moments(world.published),
            "attributes": [
                json.dumps({"colour": of, "season": when, "margin": round(0.1 + row % 50 / 100, 2)})
                for row, (of, when) in enumerate(zip(colour, season, strict=True))
            ],
        },
    )
    first_leaf = int(world.groups.max()) + 2
    in_category = apps.get_model("catalog", "Item").categories.through
    _copy(in_category._meta.label, {"item_id": ids, "category_id": (world.clusters + first_leaf).tolist()})


def _users(users: int, histories: Histories) -> None:
    events = np.bincount(histories.users, minlength=users)
    _copy(
        "users.User",
        {
            "id": range(1, users + 1),
            "external_id": [f"u{row}" for row in range(users)],
            "taste_revision": events.tolist(),
        },
    )


def _events(histories: Histories) -> None:
    moments = _moments(histories.times)
    _copy(
        "interactions.Event",
        {
            "event_id": [f"benchmark-{row}" for row in range(len(histories))],
            "user_id": (histories.users + 1).tolist(),
            "item_id": (histories.items + 1).tolist(),
            "event_type_id": histories.types.tolist(),
            "occurred_at": moments,
            "received_at": moments,
        },
    )


def _moments(seconds: NDArray[np.int64]) -> list[datetime]:
    return [datetime.fromtimestamp(one, tz=UTC) for one in seconds.tolist()]


def _copy(label: str, columns: Mapping[str, Iterable[Any]]) -> None:
    """COPY rows into a model's table. Fields that are not named get what a new object would have."""
    model = apps.get_model(label)
    fields = [
        field
        for field in model._meta.concrete_fields
        if field.attname in columns or not (field.primary_key or field.generated)
    ]
    rows = zip(*(columns.get(field.attname) or _default(field) for field in fields), strict=False)
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in fields)
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {quote(model._meta.db_table)} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)


def _default(field: "models.Field[Any, Any]") -> Iterable[Any]:
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return repeat(datetime.now(UTC))
    return repeat(field.get_db_prep_save(field.get_default(), connection))
