"""Users of the shop, for its staff."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from apps.users import services
from apps.users.models import User


class Who(admin.SimpleListFilter):
    """Persons, visitors, and what became of others."""

    title = "who"
    parameter_name = "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("person", "Persons"), ("visitor", "Visitors"), ("merged", "Merged"), ("erased", "Erased")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        present = queryset.filter(erased_at__isnull=True)
        match self.value():
            case "person" | "visitor" as who:
                return present.filter(merged_into__isnull=True, anonymous=who == "visitor")
            case "merged":
                return present.filter(merged_into__isnull=False)
            case "erased":
                return queryset.filter(erased_at__isnull=False)
        return queryset


@admin.register(User)
class UserAdmin(ModelAdmin):
    """Look users up, turn personalisation off for one, erase one. Users come with their first event."""

    about = "Shoppers, known by the shop's own id. They appear with their first event."
    list_before_template = "admin/about.html"
    list_display = ["external_id", "who", "personalised", "created_at", "last_seen_at"]
    list_filter = [Who, "personalised"]
    search_fields = ["external_id"]
    fields = [
        "external_id", "anonymous", "personalised", "attributes", "merged_into", "taste_revision",
        "created_at", "last_seen_at", "erased_at",
    ]  # fmt: skip
    readonly_fields = [name for name in fields if name != "personalised"]
    list_select_related = ["merged_into"]

    @display(description="who", label={"person": "info", "visitor": "", "merged": "warning", "erased": "danger"})
    def who(self, user: User) -> str:
        if user.erased_at:
            return "erased"
        if user.merged_into_id:
            return "merged"
        return "visitor" if user.anonymous else "person"

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        return super().log_change(request, _unnamed(obj), message)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[User]) -> Any:
        return super().log_deletions(request, [_unnamed(user) for user in queryset])

    def save_model(self, request: HttpRequest, obj: User, form: forms.Form, change: bool) -> None:
        services.user_put(obj.external_id, personalised=obj.personalised)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        # Erasing keeps the row, so nothing that refers to it stands in the way.
        return [str(one) for one in objs], {"users": len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        services.user_erase(obj.external_id)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for external_id in list(queryset.filter(erased_at__isnull=True).values_list("external_id", flat=True)):
            with suppress(services.UnknownUser):  # a visitor of a user erased a moment ago
                services.user_erase(external_id)


def _unnamed(user: User) -> User:
    """The user as the log of what staff did may call them: by row, since that log outlives an erasure."""
    return User(pk=user.pk, external_id=f"user in row {user.pk}")
