"""Categories, for the shop's merchandisers."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.views import ChangeList

from apps.catalog import services
from apps.catalog.category_paths import CategoryTree
from apps.catalog.models import Category


class TreeChangeList(ChangeList):
    """Categories in the order of the tree, each above what lies below it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        asked = set(self.queryset.values_list("pk", flat=True))
        ordered = [(depth, node.id) for depth, node in CategoryTree().in_order() if node.id in asked]
        if self.multi_page and not self.show_all:
            ordered = ordered[(self.page_num - 1) * self.list_per_page : self.page_num * self.list_per_page]
        rows = self.queryset.in_bulk([pk for _, pk in ordered])
        self.result_list = [rows[pk] for _, pk in ordered]
        for category, (depth, _) in zip(self.result_list, ordered, strict=True):
            category.depth = depth


class CategoryForm(forms.ModelForm):
    """Checks a category's id."""

    class Meta:
        model = Category
        fields = ["external_id", "name", "parent"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        parent = cleaned.get("parent")
        try:
            services.category_check(category_id=self.instance.pk, parent_id=parent.pk if parent else None)
        except ValueError as error:
            self.add_error("parent", str(error))
        return cleaned


@admin.register(Category)
class CategoryAdmin(ModelAdmin):
    """The tree of categories."""

    form = CategoryForm
    about = "The shop's tree of categories. An item in a category is also in all those above it."
    list_before_template = "admin/about.html"
    list_display = ["in_tree", "external_id", "items_in_it"]
    list_display_links = ["in_tree"]
    list_per_page = 200
    search_fields = ["name", "external_id"]
    sortable_by = ()
    autocomplete_fields = ["parent"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).annotate(item_count=Count("items"))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TreeChangeList

    @display(description="category")
    def in_tree(self, category: Category) -> SafeString:
        indent = 1.5 * category.depth  # type: ignore[attr-defined]  # set by TreeChangeList
        return format_html('<span style="padding-left:{}rem">{}</span>', indent, category.name)

    @display(description="items in it")
    def items_in_it(self, category: Category) -> int:
        return int(category.item_count)  # type: ignore[attr-defined]  # annotated above

    def save_model(self, request: HttpRequest, obj: Category, form: forms.Form, change: bool) -> None:
        obj.pk = services.category_save(
            external_id=obj.external_id, name=obj.name, parent_id=obj.parent_id, category_id=obj.pk
        )

    def delete_model(self, request: HttpRequest, obj: Category) -> None:
        services.category_delete(obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Category]) -> None:
        for pk in queryset.values_list("pk", flat=True):
            services.category_delete(pk)
