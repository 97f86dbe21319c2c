"""Rules: what merchandisers want shown, where, when and for whom, and what stands in their way."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.views import ChangeList

from apps.recommend.admin.rule_form import RuleForm
from apps.recommend.models import Rule
from apps.recommend.rule_review import Review, reviewed, status

_WARNING = "color: light-dark(#b45309, #fbbf24)"


class RuleList(ChangeList):
    """Looks at all rules of a page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        reviews = reviewed(self.result_list)
        for rule in self.result_list:
            rule.review = reviews[rule.pk]


@admin.register(Rule)
class RuleAdmin(ModelAdmin):
    """List and edit rules. Web processes follow within a second."""

    form = RuleForm
    about = (
        "Pin, boost, bury, hide, include only, or promote a share of places. Pages follow a change within a second. "
        "What is hidden is never shown, whatever else pins or promotes it."
    )
    list_before_template = "admin/about.html"
    list_display = ["name", "state", "action", "where", "touches", "in_the_way", "priority"]
    list_filter = ["action", "active", "placements"]
    search_fields = ["name", "note"]
    list_per_page = 50
    actions = ["turn_on", "turn_off"]
    readonly_fields = ["state", "touches", "in_the_way"]
    conditional_fields = {
        "strength": "action == 'boost' || action == 'bury'",
        "position": "action == 'pin'",
        "share": "action == 'promote_share'",
        "filter": "action != 'pin'",
    }
    _what = ("What", {"fields": ["name", "action", "strength", "position", "share", "item_ids", "filter"]})
    _when = ("When and where", {"fields": ["active", "starts_at", "ends_at", "placements", "priority"]})
    _whom = ("Only if", {"fields": ["seed_filter", "category_names", "segment_names", "context_lines"]})
    _note = (None, {"fields": ["note"]})

    def get_fieldsets(self, request: HttpRequest, obj: Rule | None = None) -> Any:
        asked = [self._what, self._when, self._whom, self._note]
        return asked if obj is None else [("Now", {"fields": ["state", "touches", "in_the_way"]}), *asked]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RuleList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        return super().get_queryset(request).prefetch_related("placements")

    @display(
        description="now",
        label={"active now": "success", "scheduled": "info", "expired": "warning"},
    )
    def state(self, rule: Rule) -> str:
        return status(rule)

    @display(description="placements")
    def where(self, rule: Rule) -> str:
        keys = ", ".join(placement.key for placement in rule.placements.all())
        return keys or ("all" if rule.everywhere else "none any more")

    @display(description="touches now")
    def touches(self, rule: Rule) -> str:
        found = _review(rule).reach
        if found is None:
            return "–"
        return f"{found.items:,} item{'' if found.items == 1 else 's'}, {found.available:,} of them can be shown"

    @display(description="conflicts")
    def in_the_way(self, rule: Rule) -> SafeString | str:
        sentences = _review(rule).conflicts
        if not sentences:
            return "–"
        lines = format_html_join("", "<li>{}</li>", ((sentence,) for sentence in sentences))
        return format_html('<ul style="max-width: 36rem; white-space: normal; {}">{}</ul>', _WARNING, lines)

    @admin.action(description="Turn on", permissions=["change"])
    def turn_on(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        self._turn(request, queryset, on=True)

    @admin.action(description="Turn off", permissions=["change"])
    def turn_off(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        self._turn(request, queryset, on=False)

    def _turn(self, request: HttpRequest, queryset: QuerySet[Rule], *, on: bool) -> None:
        """One by one, so that each rule's history says who did it."""
        word = "on" if on else "off"
        changed = list(queryset.filter(active=not on))
        for rule in changed:
            rule.active = on
            rule.save(update_fields=["active", "updated_at"])
            self.log_change(request, rule, f"Turned {word}.")
        self.message_user(request, f"Turned {word}: {len(changed)}.", messages.SUCCESS)


def _review(rule: Rule) -> Review:
    """Made once for each rule that is shown."""
    found: Review | None = getattr(rule, "review", None)
    if found is None:
        found = reviewed([rule])[rule.pk]
        rule.review = found  # type: ignore[attr-defined]
    return found
