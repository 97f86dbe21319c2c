from pathlib import Path

from django.apps import AppConfig
from django.conf import settings


class RecommendConfig(AppConfig):
    name = "apps.recommend"
    verbose_name = "Recommendations"

    def ready(self) -> None:
        from apps.recommend import checks  # noqa: F401  registers the system checks
        from apps.recommend.engine.registries import add_plugins

        if settings.PLUGINS_DIR is not None:
            add_plugins(Path(settings.PLUGINS_DIR))
