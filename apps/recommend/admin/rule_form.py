"""The form of a rule: items by the shop's ids, categories by name, filters checked as they are read."""

from collections.abc import Callable
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from apps.catalog import selectors as catalog
from apps.recommend.engine.filters import FilterError, parse
from apps.recommend.models import Placement, Rule

MOST_ITEMS = 1000
_NAMED = 5  # unknown ids said by name


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """Checks a rule and refuses what could only do nothing."""

    item_ids = forms.CharField(
        label="Items",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text="Your own ids, one to a line. Pinned items are shown in this order.",
    )
    category_names = forms.CharField(
        label="Only for categories",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Ids or names, one to a line. Applies on their pages and those of items in them. Empty: everywhere.",
    )
    segment_names = forms.CharField(
        label="Only for segments",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Names, one to a line. Applies to users in one of them. Empty: to everybody.",
    )
    context_lines = forms.CharField(
        label="Only in this context",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="What the page must say, one to a line: device = phone. Empty: whatever it says.",
    )

    placements = forms.ModelMultipleChoiceField(
        Placement.objects.order_by("page_type", "key"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Where it applies. None chosen: everywhere.",
    )

    class Meta:
        model = Rule
        fields = [
            "name", "action", "active", "priority", "note", "filter", "strength", "position", "share",
            "placements", "seed_filter", "starts_at", "ends_at",
        ]  # fmt: skip
        widgets = {
            "filter": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
            "seed_filter": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
            "note": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        }
        labels = {"filter": "Items by filter", "seed_filter": "Only next to items", "share": "Share of places"}
        help_texts = {
            "filter": 'Besides those above: price < 20 and category in ("mugs", "plates") and not brand = "Acme".',
            "seed_filter": "A filter: some item the page is about, or that is in the cart, must match. Empty: any.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rule = self.instance
        names = catalog.external_ids_of(rule.items)
        self._kept = {name: number for number, name in names.items()}  # deleted ones too: they may come back
        self.initial["item_ids"] = "\n".join(names[number] for number in rule.items if number in names)
        labels = (
            {node.id: node.external_id for _, node in catalog.category_tree().in_order()} if rule.categories else {}
        )
        self.initial["category_names"] = "\n".join(labels[one] for one in rule.categories if one in labels)
        self.initial["segment_names"] = "\n".join(rule.segments)
        self.initial["context_lines"] = "\n".join(f"{name} = {value}" for name, value in rule.context.items())

    def clean_item_ids(self) -> list[int]:
        wanted = _lines(self.cleaned_data["item_ids"])
        if len(wanted) > MOST_ITEMS:
            raise forms.ValidationError(
                f"A rule names at most {MOST_ITEMS:,} items; these are {len(wanted):,}. Use a filter for more."
            )
        known = self._kept | catalog.item_ids_of(wanted)
        _refuse_unknown("item", "items", wanted, known.get)
        return [known[one] for one in wanted]

    def clean_category_names(self) -> list[int]:
        wanted = _lines(self.cleaned_data["category_names"])
        known = {one: catalog.category_id_of(one) for one in wanted}
        _refuse_unknown("category", "categories", wanted, known.get)
        return list(dict.fromkeys(number for number in known.values() if number is not None))

    def clean_segment_names(self) -> list[str]:
        return _lines(self.cleaned_data["segment_names"])

    def clean_context_lines(self) -> dict[str, str]:
        said: dict[str, str] = {}
        for line in _lines(self.cleaned_data["context_lines"]):
            name, equals, value = (part.strip() for part in line.partition("="))
            if not (name and equals and value):
                raise forms.ValidationError(f"Write a name, = and a value, as in device = phone. This is not: {line}")
            if name in said:
                raise forms.ValidationError(f"{name} is there twice, and it cannot be both.")
            said[name] = value
        return said

    def clean_filter(self) -> str:
        return _checked(self.cleaned_data["filter"])

    def clean_seed_filter(self) -> str:
        return _checked(self.cleaned_data["seed_filter"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        action, by_filter = cleaned.get("action"), cleaned.get("filter")
        if action == Rule.Action.PIN and by_filter:
            self.add_error("filter", "Pinned items are named one by one. Empty this, or promote a share instead.")
        if "item_ids" in cleaned and "filter" in cleaned and not cleaned["item_ids"] and not by_filter:
            self.add_error("item_ids", "Say which items: their ids here, or a filter below.")
        if action == Rule.Action.PROMOTE_SHARE and cleaned.get("share") == 0:
            self.add_error("share", "A share of 0 promotes nothing.")
        return cleaned

    def save(self, commit: bool = True) -> Rule:
        self.instance.everywhere = not self.cleaned_data["placements"]
        self.instance.items = self.cleaned_data["item_ids"]
        self.instance.categories = self.cleaned_data["category_names"]
        self.instance.segments = self.cleaned_data["segment_names"]
        self.instance.context = self.cleaned_data["context_lines"]
        return super().save(commit)


def _lines(text: str) -> list[str]:
    """The lines that say something, each once."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _checked(text: str) -> str:
    """The filter as it was typed. Refuses one that cannot be read, with the character at fault."""
    if text.strip():
        try:
            parse(text)
        except FilterError as problem:
            raise forms.ValidationError(str(problem)) from problem
    return text.strip()


def _refuse_unknown(one: str, many: str, wanted: list[str], known: Callable[[str], int | None]) -> None:
    unknown = [name for name in wanted if known(name) is None]
    if not unknown:
        return
    more = len(unknown) - _NAMED
    shown = ", ".join(unknown[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
    what = f"No {one} has the id" if len(unknown) == 1 else f"No {many} have the ids"
    raise forms.ValidationError(f"{what} {shown}. Correct {'it' if len(unknown) == 1 else 'them'} or take them out.")
