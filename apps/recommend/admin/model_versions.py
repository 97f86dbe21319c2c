"""Model versions: what was measured, which one answers, and the buttons that change that."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from apps.recommend import publish
from apps.recommend.admin.asking import LookOnly, done
from apps.recommend.admin.figures import figure, figures_table, interval, pairs, table
from apps.recommend.model_store import DamagedModel
from apps.recommend.models import ModelVersion
from apps.recommend.publish import CannotPublish

_LIST = "admin:recommend_modelversion_changelist"


class AboutVersion(BaseDialogForm):
    """Asks before a version is switched, and says from which to which."""

    def render_before_template(self) -> str:
        version = ModelVersion.objects.get(pk=self.object_id)
        active = ModelVersion.objects.filter(model=version.model, active=True).first()
        lines = [
            [name, f"{row}, NDCG@10 {figure(row, 'ndcg@10')}" if row else "no version"]
            for name, row in {"Answering now": active, "Afterwards": self.wanted(version)}.items()
        ]
        return format_html('<div style="margin-top: 1rem">{}</div>', table([], lines))

    def wanted(self, version: ModelVersion) -> ModelVersion | None:
        """The version that would answer."""
        return version


class AboutRollBack(AboutVersion):
    """The same, towards the version before the active one."""

    def wanted(self, version: ModelVersion) -> ModelVersion | None:
        return ModelVersion.objects.filter(version=publish.version_before(version.model)).first()


@admin.register(ModelVersion)
class ModelVersionAdmin(LookOnly):
    """Everything that was trained, the latest first."""

    about = (
        "What each training produced. Of each model one version is active and answers; web processes follow a switch "
        "within seconds. Figures were measured on events that the version had not seen; higher is better."
    )
    list_before_template = "admin/about.html"
    list_display = ["version", "state", "algorithm", "ndcg", "recall", "hit_rate", "over_popularity", "created_at"]
    list_filter = ["model", "algorithm", "active"]
    search_fields = ["version"]
    list_per_page = 50
    fieldsets = [
        (None, {"fields": ["version", "state", "model", "algorithm", "created_at"]}),
        ("Measured on the latest tenth of events, which it had not seen", {"fields": ["measured"]}),
        ("Made from", {"fields": ["data", "parameters", "surroundings"]}),
        ("Manifest", {"fields": ["whole_manifest"], "classes": ["collapse"]}),
    ]
    actions_row = ["activate_version", "roll_back_model"]
    actions_detail = ["activate_version", "roll_back_model"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        return super().get_queryset(request).defer("manifest")  # long, and only one page shows it

    def get_fieldsets(self, request: HttpRequest, obj: ModelVersion | None = None) -> Any:
        if obj is None or not obj.damage:
            return self.fieldsets
        return [("Damaged", {"fields": ["damage"]}), *self.fieldsets]

    @display(
        description="state",
        ordering="-active",
        label={"active": "success", "damaged": "danger", "files deleted": "warning", "stored": "info"},
    )
    def state(self, version: ModelVersion) -> str:
        if version.active:
            return "active"
        if version.damage:
            return "damaged"
        return "files deleted" if version.deleted_at else "stored"

    @display(description="NDCG@10")
    def ndcg(self, version: ModelVersion) -> str:
        return figure(version, "ndcg@10")

    @display(description="recall@10")
    def recall(self, version: ModelVersion) -> str:
        return figure(version, "recall@10")

    @display(description="hit rate@10")
    def hit_rate(self, version: ModelVersion) -> str:
        return figure(version, "hit_rate@10")

    @display(description="NDCG@10 over popularity")
    def over_popularity(self, version: ModelVersion) -> str:
        return interval(version.metrics.get("minus_popularity", {}).get("ndcg@10"), sign="+")

    @display(description="figures")
    def measured(self, version: ModelVersion) -> SafeString | str:
        return figures_table(version)

    @display(description="data")
    def data(self, version: ModelVersion) -> SafeString:
        return pairs(version.manifest.get("data", {}))

    @display(description="parameters")
    def parameters(self, version: ModelVersion) -> SafeString:
        return pairs(version.manifest.get("recipe", {}).get("parameters", {}))

    @display(description="software")
    def surroundings(self, version: ModelVersion) -> SafeString:
        code = {"code": version.manifest.get("code_version", "")}
        return pairs(code | version.manifest.get("libraries", {}))

    @display(description="manifest.json")
    def whole_manifest(self, version: ModelVersion) -> SafeString:
        return format_html(
            '<pre style="white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem">{}</pre>',
            json.dumps(version.manifest, indent=2),
        )

    @action(
        description="Activate",
        icon="play_circle",
        permissions=["act"],
        dialog={
            "title": "Activate this version?",
            "description": "It is read and checked first. Web processes follow within seconds.",
            "form_class": AboutVersion,
            "form_submit_text": "Activate",
        },
    )
    def activate_version(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        version = ModelVersion.objects.get(pk=object_id)
        try:
            publish.activate(version.version, request.user.get_username())
        except (CannotPublish, DamagedModel) as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        else:
            self.message_user(request, f"{version} is active.", messages.SUCCESS)
        return done(request, reverse(_LIST))

    @action(
        description="Roll back",
        icon="undo",
        permissions=["act"],
        dialog={
            "title": "Roll this model back?",
            "description": "The version that answered before the active one is activated again.",
            "form_class": AboutRollBack,
            "form_submit_text": "Roll back",
        },
    )
    def roll_back_model(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        model = ModelVersion.objects.get(pk=object_id).model
        try:
            version = publish.roll_back(model, request.user.get_username())
        except CannotPublish as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        else:
            self.message_user(request, f"Rolled back: {version} is active.", messages.SUCCESS)
        return done(request, reverse(_LIST))
