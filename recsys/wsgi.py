"""The WSGI entry point. Loads models and catalog before the first request, so that no shopper waits for them."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsys.settings")

application = get_wsgi_application()


def _warm_up() -> None:
    import structlog
    from django.db import Error, close_old_connections
    from django.urls import get_resolver

    from apps.recommend import serving_state
    from apps.recommend.asking import Ask
    from apps.recommend.engine import evidence_loops, fold_in_loops, merge_loops  # noqa: F401 - compiled on import
    from apps.recommend.serve import recommend

    try:
        state = serving_state.current()
        _ = get_resolver().url_patterns  # imports every view
        for placement in list(state.plans)[:1]:
            recommend(Ask(placement=placement, explain=True))  # opens the cache and touches the models' pages
    except Error as problem:
        # No database yet, or not migrated: come up all the same and answer /health; requests load what they need.
        structlog.get_logger(__name__).warning("not warmed up", problem=str(problem))
    finally:
        close_old_connections()


_warm_up()
