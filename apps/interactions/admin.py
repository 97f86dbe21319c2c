"""Event types, whose worth merchandisers set, and events to look at."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.admin import ModelAdmin, StackedInline
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display
from unfold.views import ChangeList

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


class UncountedChangeList(ChangeList):
    """A list that does not claim to know how many rows there are besides those it lists."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count


class ReadOnly:
    """Rows that come from elsewhere: to be looked at, not written."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class EventTypeForm(forms.ModelForm):  # type: ignore[type-arg]
    """What one event is worth."""

    class Meta:
        model = EventType
        fields = ["weight", "half_life_days"]
        labels = {"half_life_days": "Half-life in days"}


@admin.register(EventType)
class EventTypeAdmin(ModelAdmin):
    """The fixed types; only what one event is worth can be changed, and for taste events only."""

    about = (
        "What one event says about a user's taste. Recommendations follow a change within seconds, models with their "
        "next training."
    )
    list_before_template = "admin/about.html"
    form = EventTypeForm
    list_display = ["name", "description", "taste", "weight", "half_life"]
    fields = ["name", "description", "taste", "weight", "half_life_days"]
    readonly_fields = ["name", "description", "taste"]

    @display(description="half-life", ordering="half_life_days")
    def half_life(self, kind: EventType) -> str:
        return f"{kind.half_life_days:g} days"

    def get_readonly_fields(self, request: HttpRequest, obj: EventType | None = None) -> list[str]:
        """Of a type that does not move recommendations there is nothing to say."""
        fixed = [] if obj is None or obj.taste else ["weight", "half_life_days"]
        return [*self.readonly_fields, *fixed]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: EventType | None = None) -> bool:
        return False


class AttributionInline(ReadOnly, StackedInline):
    """The recommendation that led to the event."""

    model = Attribution
    verbose_name_plural = "The recommendation that led to it"
    extra = 0


@admin.register(Event)
class EventAdmin(ReadOnly, ModelAdmin):
    """Events, newest first; search takes a whole event id, user id or item id."""

    about = f"What users did, newest first. At most {COUNTED_MAX:,} are listed: filter or search for older ones."
    list_before_template = "admin/about.html"
    fields = [
        "event_id", "event_type", "user", "item", "occurred_at", "received_at", "session_id", "value", "currency",
        "quantity", "sent_besides",
    ]  # fmt: skip
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

    @display(description="sent besides")
    def sent_besides(self, event: Event) -> SafeString | str:
        if not event.properties:
            return "–"
        lines = ((f"{name}: {value}",) for name, value in event.properties.items())
        return format_html_join(mark_safe("<br>"), "{}", lines)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return UncountedChangeList

    def get_inlines(self, request: HttpRequest, obj: Event | None = None) -> list[Any]:
        led = obj is not None and Attribution.objects.filter(event=obj).exists()
        return list(self.inlines) if led else []

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
