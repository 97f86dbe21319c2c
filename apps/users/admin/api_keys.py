"""API keys: made, shown once, revoked."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from apps.users import services
from apps.users.api_keys import PUBLIC_SCOPES, SCOPES, read_origin
from apps.users.models import ApiKey


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


class AboutKey(BaseDialogForm):
    """Asks before a key is ended, and says which one it is."""

    def render_before_template(self) -> str:
        return format_html('<p style="margin-top: 1rem"><strong>{}</strong></p>', ApiKey.objects.get(pk=self.object_id))


class Revoked(admin.SimpleListFilter):
    """Keys that were ended, or those that were not."""

    title = "state"
    parameter_name = "revoked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Not revoked"), ("yes", "Revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        return queryset.filter(revoked_at__isnull=self.value() == "no") if self.value() in {"no", "yes"} else queryset


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """Make, rename and revoke keys. A key is shown once, when it is made."""

    form = ApiKeyForm
    about = "What shops call the API with: secret keys on servers, public keys in browsers."
    list_before_template = "admin/about.html"
    list_display = ["name", "start", "kind", "may", "created_at", "state"]
    list_filter = ["kind", Revoked]
    search_fields = ["name", "prefix"]
    actions_row = ["revoke"]
    actions_detail = ["revoke"]

    @display(description="key")
    def start(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(description="may")
    def may(self, key: ApiKey) -> str:
        held = PUBLIC_SCOPES if key.kind == ApiKey.Kind.PUBLIC else key.scopes
        if set(held) == set(SCOPES):
            return "everything"
        return ", ".join(text.lower() for name, text in SCOPES.items() if name in held) or "nothing"

    @display(description="state", label={"valid": "success", "expired": "warning", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= timezone.now() else "valid"

    @action(
        description="Revoke",
        icon="block",
        permissions=["change"],
        dialog={
            "title": "Revoke this key?",
            "description": "Whoever uses it is refused within five seconds. A revoked key cannot be made valid again.",
            "form_class": AboutKey,
            "form_submit_text": "Revoke",
        },
    )
    def revoke(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        key = ApiKey.objects.get(pk=object_id)
        services.api_key_revoke(key_id=key.pk)
        self.message_user(request, f"{key} is revoked. All processes refuse it within five seconds.", messages.SUCCESS)
        address = reverse("admin:users_apikey_changelist")
        return HttpResponse(headers={"HX-Redirect": address}) if "HX-Request" in request.headers else redirect(address)

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
