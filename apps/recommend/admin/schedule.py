"""django-celery-beat's pages in the looks and words of this admin."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

WHOLE = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def how_often(schedule: IntervalSchedule | CrontabSchedule | None) -> str:
    """A schedule in plain words: "every hour", "At 04:30 AM UTC"."""
    if schedule is None:
        return "never"
    if isinstance(schedule, CrontabSchedule):
        return str(schedule.human_readable)
    every, unit = schedule.every, schedule.period.removesuffix("s")
    if schedule.period == IntervalSchedule.SECONDS:
        unit, seconds = next(((name, size) for name, size in WHOLE if every % size == 0), ("second", 1))
        every //= seconds
    return f"every {unit}" if every == 1 else f"every {every:,} {unit}s"


class TaskSelect(UnfoldAdminSelectWidget, beat.TaskSelectWidget):
    """The registered tasks, as our select."""


class PeriodicTaskForm(beat.PeriodicTaskForm):
    """The form with our widgets and words."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, widget, label, help_text in (
            ("name", None, "Name", ""),
            ("enabled", None, "Switched on", "Off: it does not happen, and everything else stays as it is."),
            ("description", UnfoldAdminTextareaWidget(attrs={"rows": 2}), "Description", ""),
            ("interval", None, "Every so often", "This or times of the day. The menu beside it changes or adds one."),
            ("crontab", None, "At times of the day", ""),
            ("start_time", None, "Not before", ""),
            ("one_off", None, "Only once", "It is switched off after its next run."),
            ("regtask", TaskSelect(), "Choose a task", "What is run. Choosing one here replaces the name below."),
            ("task", UnfoldAdminTextInputWidget(), "Name of the task", ""),
            ("expire_seconds", None, "Give up after seconds", "A run that no worker took up by then is left out."),
        ):
            if field := self.fields.get(name):
                field.widget = widget or field.widget
                field.label, field.help_text = label, help_text
        for name in {"interval", "crontab"} & set(self.fields):
            self.fields[name].label_from_instance = how_often


class TasksOfSchedule(TabularInline):
    """Which tasks use a schedule."""

    model = PeriodicTask
    fields = readonly_fields = ["name", "description", "enabled"]
    extra = 0
    show_change_link = True
    can_delete = False
    verbose_name_plural = "Used by"

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return False


for model in (PeriodicTask, IntervalSchedule, CrontabSchedule, ClockedSchedule, SolarSchedule):
    admin.site.unregister(model)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin, ModelAdmin):
    """What happens by the clock."""

    about = (
        "What happens by the clock. To stop something, switch it off: the three that came with the installation are "
        "made anew when they are missing at the next start."
    )
    list_before_template = "admin/about.html"
    form = PeriodicTaskForm
    date_hierarchy = None
    list_display = ["name", "description", "happens", "enabled", "last_run", "total_run_count"]
    readonly_fields = ["last_run"]
    list_filter = ["enabled"]
    fieldsets = [
        (None, {"fields": ["name", "description", "enabled"]}),
        ("When", {"fields": ["interval", "crontab", "start_time", "one_off", "last_run"]}),
        (
            "What is run",
            {"fields": ["regtask", "task", "args", "kwargs", "expire_seconds", "queue"], "classes": ["collapse"]},
        ),
    ]

    @display(description="last run", ordering="last_run_at")
    def last_run(self, task: PeriodicTask) -> str:
        return date_format(localtime(task.last_run_at), "DATETIME_FORMAT") if task.last_run_at else "–"

    @display(description="happens")
    def happens(self, task: PeriodicTask) -> str:
        return how_often(task.interval or task.crontab) if task.interval or task.crontab else str(task.scheduler)


class ScheduleAdmin(ModelAdmin):
    """A schedule, and who goes by it."""

    inlines = [TasksOfSchedule]
    list_before_template = "admin/about.html"
    list_display = ["plain", "used_by"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("periodictask_set")

    @display(description="when")
    def plain(self, schedule: IntervalSchedule | CrontabSchedule) -> str:
        return how_often(schedule)

    @display(description="used by")
    def used_by(self, schedule: IntervalSchedule | CrontabSchedule) -> str:
        return ", ".join(task.name for task in schedule.periodictask_set.all()) or "nothing"


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ScheduleAdmin):
    """Every so often."""

    about = "Intervals that tasks go by. Changing one changes every task that uses it; deleting it deletes them."


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(ScheduleAdmin, beat.CrontabScheduleAdmin):
    """At times of the day, in a time zone."""

    about = "Times of the day that tasks go by. Changing one changes every task that uses it; deleting it deletes them."
    list_display = ["plain", "used_by"]
    inlines = [TasksOfSchedule]
