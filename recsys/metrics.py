"""`/metrics` for Prometheus: Django's figures (django-prometheus) and our own, which each app declares.

One process needs nothing. Several web processes share their figures through files in PROMETHEUS_MULTIPROC_DIR;
without it a scrape shows only the process that happened to answer.
"""

import os
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from prometheus_client import multiprocess


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """All figures in the text format; those of every process when they share a folder."""
    if settings.PROMETHEUS_MULTIPROC_DIR:
        forget_dead_processes(settings.PROMETHEUS_MULTIPROC_DIR)
    response: HttpResponse = ExportToDjangoView(request)
    return response


def forget_dead_processes(folder: Path) -> None:
    """Drop the gauges of processes that are gone; their counters stay, for counters never go back."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            multiprocess.mark_process_dead(pid, str(folder))
        except PermissionError:
            continue  # alive, and someone else's
