"""Items, for the shop's merchandisers."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter, FieldTextFilter, RangeNumericFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from apps.catalog import services
from apps.catalog.category_paths import CategoryTree
from apps.catalog.item_input import ITEM_FIELDS
from apps.catalog.models import Item
from apps.catalog.prices import price_text


class InCategory(DropdownFilter):
    """Items in a category or below it."""

    title = "category"
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[int, str]]:
        return [(node.id, "\u2003" * depth + node.name) for depth, node in CategoryTree().in_order()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Item]) -> QuerySet[Item]:
        value = self.value()
        if not value or not str(value).isdigit():
            return queryset
        pairs = Item.categories.through.objects.filter(category_id__in=CategoryTree().subtree(int(value)))
        return queryset.filter(pk__in=pairs.values("item_id"))


class Deleted(admin.SimpleListFilter):
    """Deleted items are out of sight unless asked for."""

    title = "deleted"
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Deleted items")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Item]) -> QuerySet[Item]:
        return queryset.filter(deleted_at__isnull=self.value() != "yes")

    def choices(self, changelist: Any) -> Iterator[Any]:
        for place, choice in enumerate(super().choices(changelist)):
            yield choice if place else choice | {"display": "Not deleted"}


class ReadableJSONField(forms.JSONField):
    """JSON that people read: one entry to a line."""

    def prepare_value(self, value: Any) -> Any:
        shown = super().prepare_value(value)  # what was typed comes back as it was
        return shown if isinstance(value, InvalidJSONInput) else json.dumps(value, indent=2, ensure_ascii=False)


class ItemForm(forms.ModelForm):
    """Checks an item as the API does."""

    tags = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget, help_text="Separated by commas.")

    class Meta:
        model = Item
        fields = [
            "external_id", "title", "description", "brand", "categories", "tags", "price", "currency", "prices",
            "stock", "available", "url", "image_url", "published_at", "expires_at", "parent", "titles", "attributes",
        ]  # fmt: skip
        field_classes = dict.fromkeys(("prices", "titles", "attributes"), ReadableJSONField)
        widgets = {
            "description": UnfoldAdminTextareaWidget(attrs={"rows": 4}),
            "prices": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
            "titles": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
            "attributes": UnfoldAdminTextareaWidget(attrs={"rows": 7}),
        }
        labels = {
            "prices": "Other prices", "url": "Page address", "image_url": "Picture address",
            "published_at": "Shown from", "expires_at": "Shown until", "parent": "Variant of",
            "titles": "Titles in other languages", "attributes": "Anything else",
        }  # fmt: skip
        help_texts = {
            "currency": "Three letters, such as EUR. Empty: the shop's currency.",
            "prices": 'Prices in other currencies, as JSON: {"EUR": "12.50"}.',
            "available": "Off: never recommended, although it stays in the catalog.",
            "url": "Where a click leads.",
            "published_at": "Not recommended before. Empty: at once.",
            "expires_at": "Not recommended afterwards. Empty: no end.",
            "parent": "The item that this one is a size, colour or other variant of.",
            "titles": 'Per language, as JSON: {"de": "Tasse"}.',
            "attributes": "As JSON. Kept and handed out as it is.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["tags"] = ", ".join(self.instance.tags)
        if self.instance.price is not None:
            self.initial["price"] = price_text(self.instance.price)

    def clean_tags(self) -> list[str]:
        return [tag.strip() for tag in self.cleaned_data["tags"].split(",") if tag.strip()]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        raw = {name: cleaned[name] for name in ITEM_FIELDS if name in cleaned}
        raw["item_id"] = self.instance.external_id if self.instance.pk else cleaned["external_id"]
        raw["parent_id"] = cleaned["parent"].external_id if cleaned.get("parent") else ""
        raw["categories"] = [[category.external_id] for category in cleaned["categories"]]
        try:
            self.row = services.parse_item(raw)
            services.item_check(self.row)
        except services.ItemRejected as rejected:
            for error in rejected.errors:
                field = error.field.split(".")[0].split("[")[0]
                name = {"item_id": "external_id", "parent_id": "parent"}.get(field, field)
                self.add_error(name if name in self.fields else None, error.detail)
        return cleaned


@admin.register(Item)
class ItemAdmin(ModelAdmin):
    """Find, look at and edit items. Every save goes into the change feed, so shelves follow within seconds."""

    form = ItemForm
    about = "What can be recommended. Shelves follow a change within seconds."
    list_before_template = "admin/about.html"
    list_display = ["picture", "title", "external_id", "brand", "in_categories", "price_shown", "stock", "shown"]
    list_display_links = ["picture", "title"]
    list_filter = [Deleted, "available", InCategory, ("brand", FieldTextFilter), ("price", RangeNumericFilter)]
    list_filter_submit = True
    list_per_page = 50
    search_fields = ["external_id", "title", "brand"]
    search_help_text = "Search id, title and brand"
    autocomplete_fields = ["categories", "parent"]
    actions = ["hide", "show"]
    fieldsets = [
        (None, {"fields": ["external_id", "title", "description", "brand", "categories", "tags"]}),
        ("Price and stock", {"fields": [("price", "currency"), "prices", ("stock", "available")]}),
        ("Addresses", {"fields": ["url", "image_url"]}),
        ("More", {"fields": ["published_at", "expires_at", "parent", "titles", "attributes"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Item]:
        return super().get_queryset(request).prefetch_related("categories")

    def get_readonly_fields(self, request: HttpRequest, obj: Item | None = None) -> Sequence[str]:
        return ["external_id"] if obj else []

    @display(description="picture")
    def picture(self, item: Item) -> SafeString | str:
        if not item.image_url:
            return "–"
        size = "height:40px;width:40px;object-fit:cover;border-radius:4px"
        return format_html('<img src="{}" alt="{}" loading="lazy" style="{}">', item.image_url, item.title, size)

    @display(description="categories")
    def in_categories(self, item: Item) -> str:
        return ", ".join(category.name for category in item.categories.all())

    @display(description="price", ordering="price")
    def price_shown(self, item: Item) -> str:
        return "" if item.price is None else f"{price_text(item.price)} {item.currency}".strip()

    @display(
        description="state", label={"shown": "success", "hidden": "", "out of stock": "warning", "deleted": "danger"}
    )
    def shown(self, item: Item) -> str:
        if item.deleted_at:
            return "deleted"
        if not item.available:
            return "hidden"
        return "out of stock" if item.stock == 0 else "shown"

    @action(description="Never recommend the selected items", permissions=["change"])
    def hide(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        self._set_available(request, queryset, False)

    @action(description="Recommend the selected items again", permissions=["change"])
    def show(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        self._set_available(request, queryset, True)

    def _set_available(self, request: HttpRequest, queryset: QuerySet[Item], available: bool) -> None:
        changed = services.items_set_available(list(queryset.values_list("pk", flat=True)), available=available)
        self.message_user(request, f"{changed} changed. Shelves follow within seconds.")

    def save_model(self, request: HttpRequest, obj: Item, form: forms.Form, change: bool) -> None:
        row = form.row  # type: ignore[attr-defined]  # ItemForm's
        [result] = services.items_upsert([row])
        if result.errors:
            raise services.ItemRejected(result.errors)  # its parent changed since the form was checked
        obj.pk = Item.objects.values_list("pk", flat=True).get(external_id=row.item_id)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The service has saved the categories already."""

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        # Deleting keeps the row, so the events that refer to it do not stand in the way.
        return [str(one) for one in objs], {"items": len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Item) -> None:
        services.item_delete(obj.external_id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        for external_id in queryset.values_list("external_id", flat=True):
            services.item_delete(external_id)
