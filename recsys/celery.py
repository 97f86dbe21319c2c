"""The Celery application. Which broker it uses is configuration: files under VAR_DIR, Redis, or RabbitMQ.

Messages are wake-up calls only: what there is to do stands in the database, and a worker looks there when it starts
and by its own clock (`Reclaiming`), so a lost message costs seconds and a repeated one nothing.
"""

import os
from typing import Any

import structlog
from celery import Celery, bootsteps, signals
from django.conf import settings
from kombu import Queue
from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES

from recsys.circuit import Circuit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsys.settings")

TRANSPORT_ALIASES["filesystem"] = "recsys.file_broker:Transport"

log = structlog.get_logger(__name__)


def broker(url: str) -> dict[str, Any]:
    """Celery's broker settings for `url`; `filesystem://` means a folder under VAR_DIR."""
    if url.startswith("filesystem://"):
        folder = settings.VAR_DIR / "broker"
        return {
            "broker_url": "filesystem://",
            "broker_transport_options": {
                "data_folder_in": str(folder),
                "data_folder_out": str(folder),
                "control_folder": str(folder / "control"),
                "polling_interval": 0.5,
            },
            "worker_enable_remote_control": False,  # its queues would outlive every killed worker
        }
    if url.startswith(("redis", "rediss", "sentinel", "unix")):
        # Redis hands a message out again when it was not acknowledged for this long. A longer training then meets
        # its own second message, which finds the run claimed and does nothing.
        # Without the other two, whoever sends a message to a server that hangs would wait for ever.
        return {
            "broker_url": url,
            "broker_transport_options": {"visibility_timeout": 3600, "socket_connect_timeout": 2, "socket_timeout": 5},
        }
    return {"broker_url": url}


def configuration() -> dict[str, Any]:
    """Celery's settings. Called when Celery first needs them, so that importing this module reads no settings."""
    return {
        **broker(settings.CELERY_BROKER_URL),
        "timezone": settings.CELERY_TIMEZONE,
        "broker_connection_retry_on_startup": True,
        # Once, for a connection that went stale: whoever sends is often a web request.
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
        "task_ignore_result": True,
        "result_expires": None,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_queues": [Queue("train"), Queue("refresh")],
        "task_default_queue": "refresh",
        # One task at a time, in a process of its own: training uses all cores through threads, two at once would
        # need twice the memory, and a process that has grown large is replaced, which gives its memory back.
        "worker_pool": "prefork",
        "worker_concurrency": 1,
        "worker_max_memory_per_child": 1_500_000,  # KiB
        # With late acknowledgement and a prefetch of one, a worker that trains keeps no message from its colleagues.
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        "worker_redirect_stdouts": False,
        "beat_scheduler": settings.CELERY_BEAT_SCHEDULER,
    }


class Application(Celery):
    """Celery, sending nothing for a moment after the broker was out of reach: an outage costs one wait, not many."""

    _broker = Circuit("the broker", pause=5.0)

    def send_task(self, *args: Any, **kwargs: Any) -> Any:
        """Send a message. Raises kombu's OperationalError, at once while the broker is left alone."""
        if not self._broker.may_try():
            raise OperationalError("The broker was out of reach a moment ago and is left alone for now.")
        try:
            sent = super().send_task(*args, **kwargs)
        except (OperationalError, OSError) as problem:  # the latter from the broker of files: disk full, no rights
            self._broker.failed(problem)
            raise OperationalError(str(problem)) from problem
        self._broker.worked()
        return sent


app = Application("recsys")
app.add_defaults(configuration)
app.autodiscover_tasks()


@signals.setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """With a receiver here Celery leaves logging as the settings have made it."""


class Reclaiming(bootsteps.StartStopStep):
    """The worker's own clock: at its start and ever after, look for runs that lost their worker or their message."""

    requires = ("celery.worker.components:Timer",)

    def start(self, parent: Any) -> None:
        from apps.recommend.training_runs import wake_up_seconds  # models are loaded by now, not at import

        interval = wake_up_seconds()
        self._send(interval)
        self.timer = parent.timer.call_repeatedly(interval, self._send, (interval,))

    def stop(self, parent: Any) -> None:
        self.timer.cancel()

    def _send(self, interval: float) -> None:
        try:
            app.send_task("apps.recommend.tasks.reclaim_runs", queue="refresh", expires=2 * interval)
        except OperationalError as problem:
            log.warning("broker unreachable", problem=str(problem))


app.steps["worker"].add(Reclaiming)
