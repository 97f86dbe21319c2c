"""The wiring. Importing it binds every `shared_task` to the Celery application."""

from recsys.celery import app as celery_app

__all__ = ["celery_app"]
