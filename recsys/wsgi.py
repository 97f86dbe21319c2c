"""The WSGI entry point. Loads models and catalog before the first request, so that no shopper waits for them."""

import gc
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
    from apps.recommend.engine.filters import parse
    from apps.recommend.serve import recommend
    from apps.users.selectors import users_seen_last

    try:
        state = serving_state.current()
        _ = get_resolver().url_patterns  # imports every view
        user = next(iter(users_seen_last(1)), None)
        for placement in state.plans:  # opens caches, touches the models' pages, and compiles what is not yet
            recommend(Ask(placement=placement, user=user, filter=parse("price >= 0"), explain=True))
    except Error as problem:
        # No database yet, or not migrated: come up all the same and answer /health; requests load what they need.
        structlog.get_logger(__name__).warning("not warmed up", problem=str(problem))
    finally:
        close_old_connections()


_warm_up()

# What is loaded by now stays: looking through all of it for cycles, again and again, took a tenth of a request's time.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 100)
