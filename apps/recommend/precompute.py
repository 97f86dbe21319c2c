"""Answers computed ahead for users who are likely to come back: their first page finds its candidates in Redis."""

from django.conf import settings

from apps.recommend import serving_state, shared_cache
from apps.recommend.asking import Ask
from apps.recommend.models import Placement
from apps.recommend.serve import recommend
from apps.users import selectors as users

PAGES = (Placement.PageType.HOME, Placement.PageType.EMAIL)


def precompute(limit: int | None = None) -> int:
    """Compute the home and e-mail placements for the users seen last; returns for how many users.

    At most `limit` (settings.PRECOMPUTED_USERS) of them, and none without a Redis to put the slates in. Costs about a
    millisecond a user and placement.
    """
    if not shared_cache.enabled():
        return 0
    state = serving_state.refresh()
    placements = [key for key, plan in state.plans.items() if plan.page_type in PAGES and plan.chain[0].spec.personal]
    seen = users.users_seen_last(settings.PRECOMPUTED_USERS if limit is None else limit)
    for user in seen:
        for placement in placements:
            recommend(Ask(placement=placement, user=user))
    shared_cache.flush()
    return len(seen)
