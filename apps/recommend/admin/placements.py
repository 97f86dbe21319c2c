"""Placements: what answers where."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from apps.recommend.models import Placement
from apps.recommend.pipelines import pipeline_choices, pipelines


class PlacementForm(forms.ModelForm):  # type: ignore[type-arg]
    """Pipelines are chosen by their plain names; fallbacks are asked in the order of the fields."""

    pipeline = forms.ChoiceField(widget=UnfoldAdminSelectWidget, help_text="What answers here.")
    first_fallback = forms.ChoiceField(
        required=False, widget=UnfoldAdminSelectWidget, help_text="Asked when the pipeline falls short."
    )
    second_fallback = forms.ChoiceField(
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Asked after that. Last of all come new arrivals, except on search pages, so that no shelf is empty.",
    )

    class Meta:
        model = Placement
        fields = [
            "key", "label", "page_type", "pipeline", "count", "active", "max_per_brand", "max_per_category",
            "min_relevance", "price_min", "price_max", "collapse_variants", "freshness_weight",
            "freshness_half_life_days", "margin_weight", "rotation_hours",
        ]  # fmt: skip
        labels = {
            "max_per_brand": "Most of one brand",
            "max_per_category": "Most of one category",
            "min_relevance": "Least relevance",
            "price_min": "Lowest price",
            "price_max": "Highest price",
            "collapse_variants": "One of each family",
            "freshness_weight": "Newness counts",
            "freshness_half_life_days": "Half as new after (days)",
            "margin_weight": "Margin counts",
            "rotation_hours": "Shuffle every (hours)",
        }
        help_texts = {
            "price_min": "An item without a price is in no range. Empty: no limit.",
            "price_max": "Empty: no limit.",
            "page_type": "Where in the shop it is. A search that finds nothing says so; other shelves are filled up.",
            "active": "Off: pages leave this shelf out.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = pipeline_choices()
        known = {name for name, _ in choices}
        if self.instance.pipeline and self.instance.pipeline not in known:
            choices = [(self.instance.pipeline, f"{self.instance.pipeline} (does not exist any more)"), *choices]
        self.fields["pipeline"].choices = choices  # type: ignore[attr-defined]
        optional = [("", "none"), *choices]
        now = [*self.instance.fallback, "", ""]
        for name, value in zip(("first_fallback", "second_fallback"), now, strict=False):
            self.fields[name].choices = optional  # type: ignore[attr-defined]
            self.initial[name] = value

    def clean_pipeline(self) -> str:
        name = str(self.cleaned_data["pipeline"])
        if name not in pipelines():
            raise forms.ValidationError("This pipeline does not exist any more. Choose another.")
        return name

    def save(self, commit: bool = True) -> Placement:
        chosen = [self.cleaned_data.get("first_fallback"), self.cleaned_data.get("second_fallback")]
        self.instance.fallback = [name for name in dict.fromkeys(chosen) if name]
        return super().save(commit)


@admin.register(Placement)
class PlacementAdmin(ModelAdmin):
    """List and edit placements. Web processes follow within a second."""

    form = PlacementForm
    about = "Named spots in the shop and what is shown there. Pages follow a change within a second."
    list_before_template = "admin/about.html"
    list_display = ["label", "key", "page_type", "pipeline_name", "falls_back_to", "items", "is_active"]
    list_filter = ["page_type", "active"]
    search_fields = ["key", "label"]
    fieldsets = [
        (None, {"fields": ["key", "label", "page_type", "active"]}),
        ("What is shown", {"fields": ["pipeline", "count", "first_fallback", "second_fallback"]}),
        (
            "What may be shown",
            {"fields": [("price_min", "price_max"), "min_relevance", "collapse_variants"]},
        ),
        ("How mixed it is", {"fields": [("max_per_brand", "max_per_category")]}),
        (
            "What counts besides",
            {"fields": [("freshness_weight", "freshness_half_life_days"), "margin_weight", "rotation_hours"]},
        ),
    ]

    @display(description="pipeline", ordering="pipeline")
    def pipeline_name(self, placement: Placement) -> str:
        pipeline = pipelines().get(placement.pipeline)
        return pipeline.spec.label if pipeline else f"{placement.pipeline} (missing)"

    @display(description="when that falls short")
    def falls_back_to(self, placement: Placement) -> str:
        known = pipelines()
        asked = (known[name].spec.label if name in known else f"{name} (missing)" for name in placement.fallback)
        return ", ".join(asked) or "–"

    @display(description="items", ordering="count")
    def items(self, placement: Placement) -> str:
        return str(placement.count or f"{settings.DEFAULT_RECOMMENDATION_COUNT} (default)")

    @display(description="active", boolean=True, ordering="active")
    def is_active(self, placement: Placement) -> bool:
        return placement.active

    def get_readonly_fields(self, request: Any, obj: Placement | None = None) -> list[str]:
        return [] if obj is None else ["key"]  # pages ask for it by name
