"""Model versions: what was measured, which one answers, and the buttons that change that."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from apps.recommend import publish
from apps.recommend.admin.asking import LookOnly, done
from apps.recommend.model_store import DamagedModel
from apps.recommend.models import ModelVersion
from apps.recommend.publish import CannotPublish

_LIST = "admin:recommend_modelversion_changelist"


class AboutVersion(BaseDialogForm):
    """Asks before a version is switched, and shows what is known of it."""

    def render_before_template(self) -> str:
        version = ModelVersion.objects.get(pk=self.object_id)
        active = ModelVersion.objects.filter(model=version.model, active=True).first()
        return format_html(
            "<p><strong>{}</strong>, NDCG@10 {}<br>Answering now: {}</p>",
            version,
            _figure(version, "ndcg@10"),
            active or "no version",
        )


@admin.register(ModelVersion)
class ModelVersionAdmin(LookOnly):
    """Everything that was trained, the latest first."""

    list_display = ["version", "state", "algorithm", "ndcg", "recall", "hit_rate", "over_popularity", "created_at"]
    list_filter = ["model", "algorithm", "active"]
    search_fields = ["version"]
    list_per_page = 50
    fieldsets = [
        (None, {"fields": ["version", "state", "model", "algorithm", "created_at", "damage"]}),
        ("Measured on the latest tenth of events, which it had not seen", {"fields": ["measured"]}),
        ("Made from", {"fields": ["data", "parameters", "surroundings"]}),
        ("Manifest", {"fields": ["whole_manifest"], "classes": ["collapse"]}),
    ]
    actions_row = ["activate_version", "roll_back_model"]
    actions_detail = ["activate_version", "roll_back_model"]

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
        return _figure(version, "ndcg@10")

    @display(description="recall@10")
    def recall(self, version: ModelVersion) -> str:
        return _figure(version, "recall@10")

    @display(description="hit rate@10")
    def hit_rate(self, version: ModelVersion) -> str:
        return _figure(version, "hit_rate@10")

    @display(description="NDCG@10 over popularity")
    def over_popularity(self, version: ModelVersion) -> str:
        return _interval(version.metrics.get("minus_popularity", {}).get("ndcg@10"), sign="+")

    @display(description="figures")
    def measured(self, version: ModelVersion) -> str:
        metrics = version.metrics
        if not metrics:
            return "Not measured: there were too few events."
        columns = {
            "this version": metrics["figures"],
            "popularity": metrics["popularity"],
            "difference": metrics["minus_popularity"],
            "difference to the active recipe": metrics.get("minus_active") or {},
        }
        rows = [[name, *(_interval(column.get(name)) for column in columns.values())] for name in metrics["figures"]]
        return _table(["", *columns], rows)

    @display(description="data")
    def data(self, version: ModelVersion) -> str:
        return _pairs(version.manifest.get("data", {}))

    @display(description="parameters")
    def parameters(self, version: ModelVersion) -> str:
        return _pairs(version.manifest.get("recipe", {}).get("parameters", {}))

    @display(description="software")
    def surroundings(self, version: ModelVersion) -> str:
        code = {"code": version.manifest.get("code_version", "")}
        return _pairs(code | version.manifest.get("libraries", {}))

    @display(description="manifest.json")
    def whole_manifest(self, version: ModelVersion) -> str:
        return format_html(
            '<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>',
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
            "form_class": AboutVersion,
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


def _figure(version: ModelVersion, name: str) -> str:
    figure = version.metrics.get("figures", {}).get(name)
    return f"{figure['mean']:.4f}" if figure else "–"


def _interval(figure: Mapping[str, float] | None, sign: str = "") -> str:
    if not figure:
        return "–"
    text = f"{figure['mean']:{sign}.4f}"
    return f"{text} [{figure['low']:{sign}.4f}, {figure['high']:{sign}.4f}]" if "low" in figure else text


def _pairs(values: Mapping[str, Any]) -> SafeString:
    shown = [(name, f"{value:,}" if isinstance(value, int) else str(value)) for name, value in values.items()]
    return _table([], [[name.replace("_", " "), value] for name, value in shown])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> SafeString:
    cell = '<td style="padding: .15rem 1.5rem .15rem 0; white-space: nowrap">{}</td>'
    lines = [format_html_join("", cell, ((text,) for text in row)) for row in ([head, *rows] if head else rows)]
    body = format_html_join("", "<tr>{}</tr>", ((line,) for line in lines))
    return format_html('<div style="overflow-x: auto"><table>{}</table></div>', body)
