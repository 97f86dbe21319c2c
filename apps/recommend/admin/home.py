"""The admin's first page: what is there, what answers, what was trained. Every figure is cheap at any size."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from apps.catalog import selectors as catalog
from apps.interactions import selectors as events
from apps.recommend import recipes
from apps.recommend.admin.figures import figure, interval
from apps.recommend.models import ModelVersion, Placement, TrainingRun
from apps.recommend.pipelines import pipelines
from apps.users import selectors as users

COUNTED_MAX = 100_000
RUNS = 6


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What `admin/index.html` shows besides: only what the one who asks may look at."""
    parts = {
        name: part()
        for name, (right, part) in {
            "items": ("catalog.view_item", _items),
            "users": ("users.view_user", _users),
            "events": ("interactions.view_event", _events_today),
            "versions": ("recommend.view_modelversion", _versions),
            "runs": ("recommend.view_trainingrun", _runs),
            "placements": ("recommend.view_placement", _placements),
        }.items()
        if request.user.has_perm(right)
    }
    counts = [parts[name] for name in ("items", "users", "events") if name in parts]
    return context | {"home": parts, "counts": counts, "title": "Overview"}


def _items() -> dict[str, str]:
    return _count("Items", catalog.items_listed()[:COUNTED_MAX].count(), "catalog_item")


def _users() -> dict[str, str]:
    return _count("Users", users.users_listed()[:COUNTED_MAX].count(), "users_user")


def _events_today() -> dict[str, str]:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return _count("Events today", events.events_since(midnight, COUNTED_MAX), "interactions_event")


def _count(name: str, counted: int, page: str) -> dict[str, str]:
    more = "+" if counted == COUNTED_MAX else ""
    return {"name": name, "counted": f"{counted:,}{more}", "link": reverse(f"admin:{page}_changelist")}


def _versions() -> list[dict[str, Any]]:
    """Each model with its active version, or with none."""
    active = {row.model: row for row in ModelVersion.objects.filter(active=True).defer("manifest")}
    return [
        {
            "model": name,
            "version": row,
            "ndcg": figure(row, "ndcg@10") if row else "",
            "over_popularity": interval(row.metrics.get("minus_popularity", {}).get("ndcg@10"), "+") if row else "",
        }
        for name in dict.fromkeys([*recipes.all_recipes(), *sorted(active)])
        for row in [active.get(name)]
    ]


def _runs() -> list[TrainingRun]:
    return list(TrainingRun.objects.order_by("-id")[:RUNS])


def _placements() -> list[dict[str, Any]]:
    known = pipelines()
    return [
        {
            "placement": row,
            "pipeline": known[row.pipeline].spec.label if row.pipeline in known else f"{row.pipeline} (missing)",
            "count": row.count or settings.DEFAULT_RECOMMENDATION_COUNT,
        }
        for row in Placement.objects.order_by("page_type", "key")
    ]
