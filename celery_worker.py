"""The Celery entry point.

    celery -A celery_worker worker -Q train,refresh     a worker for everything
    celery -A celery_worker worker -Q train             on a large machine, only for training
    celery -A celery_worker beat                        the clock; exactly one of it

Queues: `train` holds training runs, minutes each; `refresh` holds what takes milliseconds (the schedule, reclaiming,
clearing away, the catalog's change feed). A worker does one task at a time: start several for more. Which broker is
used follows CELERY_BROKER_URL; without it REDIS_URL, without that files under VAR_DIR/broker. The schedule can be
edited in the admin.
"""

from recsys.celery import app

__all__ = ["app"]
