from pathlib import Path

from django.apps import AppConfig
from django.conf import settings


class RecommendConfig(AppConfig):
    name = "apps.recommend"
    verbose_name = "Recommendations"

    def ready(self) -> None:
        from apps.recommend import checks  # noqa: F401  registers the system checks
        from apps.recommend.engine.registries import add_plugins
        from apps.recommend.engine.text_encoders import choice as text_encoders

        if settings.PLUGINS_DIR is not None:
            add_plugins(Path(settings.PLUGINS_DIR))
        text_encoders.configure(
            openai_base_url=settings.OPENAI_BASE_URL,
            openai_api_key=settings.OPENAI_API_KEY,
            cache_folder=settings.VAR_DIR / "text-vectors",
        )
