"""The WSGI entry point. Loads models and catalog before the first request, so that no shopper waits for them."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsys.settings")

application = get_wsgi_application()


def _warm_up() -> None:
    import structlog
    from django.db import Error, close_old_connections

    from apps.recommend import serving_state

    try:
        serving_state.current()
    except Error as problem:
        # No database yet, or not migrated: come up all the same and answer /health; requests load what they need.
        structlog.get_logger(__name__).warning("not warmed up", problem=str(problem))
    finally:
        close_old_connections()


_warm_up()
