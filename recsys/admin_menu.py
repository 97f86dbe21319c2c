"""The admin's looks and its menu, in the order of a merchandiser's day."""

from typing import Any

from django.urls import reverse_lazy

# A four-pointed star, inside the page: nothing to fetch, nothing to collect.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Crect width='24' height='24' "
    "rx='6' fill='%239810fa'/%3E%3Cpath fill='white' d='M12 4l2 6 6 2-6 2-2 6-2-6-6-2 6-2z'/%3E%3C/svg%3E"
)


def _link(title: str, icon: str, model: str) -> dict[str, Any]:
    """An entry that leads to the list of `model` ("app.model"), shown to those who may see it."""
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{name}"),
    }


def _group(title: str, *links: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "separator": True, "collapsible": False, "items": list(links)}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Recommendations",
    "SITE_HEADER": "Recommendations",
    "SITE_SUBHEADER": "What shoppers see, and why",
    "SITE_SYMBOL": "auto_awesome",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _ICON}],
    "DASHBOARD_CALLBACK": "apps.recommend.admin.home.home",
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            _group(
                "Catalog",
                _link("Items", "inventory_2", "catalog.item"),
                _link("Categories", "account_tree", "catalog.category"),
            ),
            _group(
                "Shoppers",
                _link("Users", "group", "users.user"),
                _link("Events", "bolt", "interactions.event"),
                _link("Event types", "tune", "interactions.eventtype"),
            ),
            _group(
                "Recommendations",
                _link("Placements", "view_carousel", "recommend.placement"),
                _link("Rules", "rule", "recommend.rule"),
                _link("Model versions", "deployed_code", "recommend.modelversion"),
                _link("Training runs", "model_training", "recommend.trainingrun"),
            ),
            _group(
                "Schedule",
                _link("Periodic tasks", "schedule", "django_celery_beat.periodictask"),
                _link("Intervals", "timer", "django_celery_beat.intervalschedule"),
                _link("Calendar times", "calendar_month", "django_celery_beat.crontabschedule"),
            ),
            _group(
                "Access",
                _link("API keys", "key", "users.apikey"),
                _link("Staff", "badge", "auth.user"),
                _link("Roles", "admin_panel_settings", "auth.group"),
            ),
        ],
    },
}
