"""django-celery-beat's pages in the looks of this admin."""

from typing import Any

from django.contrib import admin
from django_celery_beat import admin as beat
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget


class TaskSelect(UnfoldAdminSelectWidget, beat.TaskSelectWidget):
    """The registered tasks, as our select."""


class PeriodicTaskForm(beat.PeriodicTaskForm):
    """The form with our widgets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


class TasksOfSchedule(TabularInline):
    """Which tasks use a schedule."""

    model = PeriodicTask
    fields = readonly_fields = ["name", "task", "enabled"]
    extra = 0
    show_change_link = True
    can_delete = False

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return False


for model in (PeriodicTask, IntervalSchedule, CrontabSchedule, ClockedSchedule, SolarSchedule):
    admin.site.unregister(model)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(beat.PeriodicTaskAdmin, ModelAdmin):
    """What happens by the clock. Switch a task off rather than delete it: deleted ones come back."""

    form = PeriodicTaskForm
    date_hierarchy = None
    list_display = ["name", "enabled", "scheduler", "last_run_at", "total_run_count"]
    list_filter = ["enabled"]


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ModelAdmin):
    """Every so often."""

    inlines = [TasksOfSchedule]


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(beat.CrontabScheduleAdmin, ModelAdmin):
    """At times of the day, in a time zone."""

    inlines = [TasksOfSchedule]
