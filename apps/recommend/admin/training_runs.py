"""Training runs: what is going on, how it ended, and the button that starts one."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget

from apps.recommend import recipes
from apps.recommend.admin.asking import LookOnly, done
from apps.recommend.models import TrainingRun
from apps.recommend.recipes import RecipeError
from apps.recommend.tasks import ask_for_training
from apps.recommend.training_runs import OPEN

_LIST = "admin:recommend_trainingrun_changelist"


class WhatToTrain(BaseDialogForm):
    """One model, or all."""

    model = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = recipes.all_recipes()
        self.fields["model"].choices = [("", "all models"), *((name, name) for name in names)]  # type: ignore[attr-defined]


@admin.register(TrainingRun)
class TrainingRunAdmin(LookOnly):
    """Everything that was asked for, the latest first. The list follows open runs by itself."""

    about = (
        "Each training of each model. A version that is clearly worse than the active one is kept but not activated."
    )
    list_display = ["model", "state", "bar", "message", "requested_at", "requested_by", "took"]
    list_filter = ["model", "status"]
    list_select_related = ["version"]
    list_per_page = 50
    list_before_template = "recommend/admin/open_runs.html"
    fieldsets = [
        (None, {"fields": ["model", "state", "bar", "message"]}),
        ("When", {"fields": ["requested_at", "requested_by", "started_at", "finished_at", "took"]}),
        ("Who", {"fields": ["worker", "attempts", "heartbeat_at", "lease_expires_at"]}),
    ]
    actions_list = ["train_now"]
    actions_row = ["train_again"]

    @display(
        description="state",
        ordering="status",
        label={
            "queued": "info",
            "running": "info",
            "activated": "success",
            "kept": "warning",
            "refused": "warning",
            "failed": "danger",
        },
    )
    def state(self, run: TrainingRun) -> str:
        return run.status

    @display(description="progress, then version")
    def bar(self, run: TrainingRun) -> str:
        if run.status not in OPEN:
            if run.version is None:
                return "–"
            address = reverse("admin:recommend_modelversion_change", args=[run.version.pk])
            return format_html('<a href="{}">{}</a>', address, run.version)
        percent = round(100 * run.progress)
        return format_html(
            '<div role="progressbar" aria-valuenow="{}" style="width: 10rem; height: .5rem; border-radius: .25rem; '
            'background: var(--color-base-200)"><div style="width: {}%; height: 100%; border-radius: .25rem; '
            'background: var(--color-primary-600)"></div></div><small>{}</small>',
            percent,
            percent,
            run.step or "waiting for a worker",
        )

    @display(description="took")
    def took(self, run: TrainingRun) -> str:
        if run.started_at is None or run.finished_at is None:
            return "–"
        return f"{(run.finished_at - run.started_at).total_seconds():,.0f} s"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        open_runs = TrainingRun.objects.filter(status__in=OPEN).exists()
        return super().changelist_view(request, {**(extra_context or {}), "open_runs": open_runs})

    @action(
        description="Train now",
        icon="model_training",
        permissions=["act"],
        dialog={
            "title": "Train now",
            "description": "A worker learns from everything up to this moment and activates what is not clearly worse.",
            "form_class": WhatToTrain,
            "form_submit_text": "Train",
        },
    )
    def train_now(self, request: HttpRequest, form: WhatToTrain) -> HttpResponse:
        chosen = form.cleaned_data["model"]
        return self._train(request, [chosen] if chosen else list(recipes.all_recipes()))

    @action(
        description="Train again",
        icon="replay",
        permissions=["act"],
        dialog={
            "title": "Train this model again?",
            "description": "A worker learns from everything up to this moment.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Train",
        },
    )
    def train_again(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._train(request, [TrainingRun.objects.get(pk=object_id).model])

    def _train(self, request: HttpRequest, names: list[str]) -> HttpResponse:
        queued: list[str] = []
        already: list[str] = []
        for name in names:
            try:
                recipes.recipe(name)
            except RecipeError as problem:
                self.message_user(request, str(problem), messages.ERROR)
                continue
            requested = ask_for_training(name, requested_by=request.user.get_username())
            (queued if requested.new else already).append(name)
        if queued:
            self.message_user(request, f"Queued: {', '.join(queued)}.", messages.SUCCESS)
        if already:
            self.message_user(request, f"Queued or being trained already: {', '.join(already)}.", messages.WARNING)
        return done(request, reverse(_LIST))
