"""Event types, whose worth merchandisers set, and events to look at."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, StackedInline
from unfold.contrib.filters.admin import RangeDateTimeFilter

from apps.catalog import selectors as catalog
from apps.interactions.models import Attribution, Event, EventType
from apps.interactions.user_events import latest_ids
from apps.users import selectors as users

COUNTED_MAX = 20_000
SEARCHED_MAX = 500


class BoundedPaginator(Paginator):
    """Counts up to `COUNTED_MAX` rows and shows no more: older ones are found by filter or search."""

    @property
    def count(self) -> int:
        """How many rows there are, at most `COUNTED_MAX`."""
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]  # the admin paginates nothing else
        return rows.order_by("-pk")[:COUNTED_MAX].count()


class ReadOnly:
    """Rows that come from elsewhere: to be looked at, not written."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(EventType)
class EventTypeAdmin(ModelAdmin):
    """The fixed types; only what one event is worth can be changed, and for taste events only."""

    list_display = ["name", "taste", "weight", "half_life_days", "description"]
    fields = ["name", "description", "taste", "weight", "half_life_days"]
    readonly_fields = ["name", "description", "taste"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: EventType | None = None) -> bool:
        return False


class AttributionInline(ReadOnly, StackedInline):
    """The recommendation that led to the event."""

    model = Attribution
    extra = 0


@admin.register(Event)
class EventAdmin(ReadOnly, ModelAdmin):
    """Events, newest first; search takes a whole event id, user id or item id."""

    list_display = ["occurred_at", "event_type", "user", "item", "quantity", "value", "currency", "event_id"]
    list_select_related = ["event_type", "user", "item"]
    list_filter = ["event_type", ("occurred_at", RangeDateTimeFilter)]
    list_filter_submit = True
    list_per_page = 50
    search_fields = ["event_id"]  # shows the box; get_search_results does the search
    search_help_text = "A whole event id, user id or item id"
    show_full_result_count = False
    paginator = BoundedPaginator
    inlines = [AttributionInline]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """The events of that id, or the latest of that user or about that item: each found by an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = list(Event.objects.filter(Q(event_id=term) | Q(event_id=f"public:{term}")).values_list("id", flat=True))
        if user := users.user_by_external_id(term):
            found += latest_ids(user.id, limit=SEARCHED_MAX)
        for item_id in catalog.item_ids_of([term], deleted=True).values():
            about = Event.objects.filter(item_id=item_id).order_by("-id")
            found += about.values_list("id", flat=True)[:SEARCHED_MAX]
        return queryset.filter(id__in=found), False
