"""Users and API keys, for the shop's staff."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from apps.users import services
from apps.users.api_keys import PUBLIC_SCOPES, SCOPES, read_origin
from apps.users.models import ApiKey, User


@admin.register(User)
class UserAdmin(ModelAdmin):
    """Look users up, turn personalisation off for one, erase one. Users come with their first event."""

    list_display = ["external_id", "who", "personalised", "created_at", "last_seen_at"]
    list_filter = ["anonymous", "personalised", ("erased_at", admin.EmptyFieldListFilter)]
    search_fields = ["external_id"]
    fields = [
        "external_id", "anonymous", "personalised", "attributes", "merged_into", "taste_revision",
        "created_at", "last_seen_at", "erased_at",
    ]  # fmt: skip
    readonly_fields = [name for name in fields if name != "personalised"]
    list_select_related = ["merged_into"]
    show_full_result_count = False
    actions = ["erase"]

    @display(description="who", label={"person": "info", "visitor": "", "merged": "warning", "erased": "danger"})
    def who(self, user: User) -> str:
        if user.erased_at:
            return "erased"
        if user.merged_into_id:
            return "merged"
        return "visitor" if user.anonymous else "person"

    @action(description="Erase the selected users and everything held about them", permissions=["delete"])
    def erase(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ids = list(queryset.filter(erased_at__isnull=True).values_list("external_id", flat=True))
        erased = 0
        for external_id in ids:
            try:
                services.user_erase(external_id)
            except services.UnknownUser:
                continue  # a visitor of a user erased a moment ago
            erased += 1
        self.message_user(request, f"{erased} erased.")

    def save_model(self, request: HttpRequest, obj: User, form: forms.Form, change: bool) -> None:
        services.user_put(obj.external_id, personalised=obj.personalised)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        # Erasing keeps the row, so nothing that refers to it stands in the way.
        return [str(one) for one in objs], {"users": len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        services.user_erase(obj.external_id)


class ApiKeyForm(forms.ModelForm):
    """Origins one to a line; scopes by name."""

    scopes = forms.MultipleChoiceField(
        choices=list(SCOPES.items()),
        initial=list(SCOPES),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What a secret key may do. A public key always reads recommendations and sends events, no more.",
    )
    allowed_origins = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Public keys: origins of the pages using it, one to a line, such as https://shop.example; * for any.",
    )

    class Meta:
        model = ApiKey
        fields = ["name", "kind", "scopes", "allowed_origins", "expires_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["allowed_origins"] = "\n".join(self.instance.allowed_origins)
        elif "allowed_origins" in self.fields:
            self.initial["allowed_origins"] = ""

    def clean_allowed_origins(self) -> list[str]:
        try:
            return [read_origin(line) for line in self.cleaned_data["allowed_origins"].split()]
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """Make, rename and revoke keys. A key is shown once, when it is made."""

    form = ApiKeyForm
    list_display = ["name", "start", "kind", "may", "created_at", "state"]
    list_filter = ["kind", ("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "prefix"]
    actions = ["revoke"]

    @display(description="key")
    def start(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(description="may")
    def may(self, key: ApiKey) -> str:
        return ", ".join(sorted(PUBLIC_SCOPES) if key.kind == ApiKey.Kind.PUBLIC else key.scopes)

    @display(description="state", label={"valid": "success", "expired": "warning", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= timezone.now() else "valid"

    @action(description="Revoke the selected keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        keys = list(queryset)
        for key in keys:
            services.api_key_revoke(key_id=key.pk)
        self.message_user(request, f"{len(keys)} revoked. All processes refuse them within five seconds.")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        if obj is None:
            return ["name", "kind", "scopes", "allowed_origins", "expires_at"]
        return ["name", "allowed_origins", "start", "kind", "may", "created_at", "expires_at", "revoked_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return [] if obj is None else ["start", "kind", "may", "created_at", "expires_at", "revoked_at"]

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.Form, change: bool) -> None:
        if change:
            services.api_key_change(key_id=obj.pk, name=obj.name, allowed_origins=obj.allowed_origins)
            return
        key, plain = services.api_key_create(
            name=obj.name,
            kind=obj.kind,
            scopes=obj.scopes,
            allowed_origins=obj.allowed_origins,
            expires_at=obj.expires_at,
        )
        obj.pk, obj.prefix = key.pk, key.prefix
        text = format_html("Copy the key now, it cannot be shown again: <code>{}</code>", plain)
        self.message_user(request, text, messages.WARNING)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False  # revoked keys stay, to tell who called
