from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate


class RecommendConfig(AppConfig):
    name = "apps.recommend"
    verbose_name = "Recommendations"

    def ready(self) -> None:
        from apps.recommend import checks  # noqa: F401  registers the system checks
        from apps.recommend.engine.registries import add_plugins
        from apps.recommend.engine.text_encoders import choice as text_encoders
        from apps.recommend.shipped_placements import add_placements

        post_migrate.connect(add_placements, sender=self, dispatch_uid="add_placements")
        if settings.PLUGINS_DIR is not None:
            add_plugins(Path(settings.PLUGINS_DIR))
        text_encoders.configure(
            openai_base_url=settings.OPENAI_BASE_URL,
            openai_api_key=settings.OPENAI_API_KEY,
            cache_folder=settings.VAR_DIR / "text-vectors",
        )
