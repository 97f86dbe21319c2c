from django.apps import AppConfig


class RecsysConfig(AppConfig):
    """The wiring; it has no models."""

    name = "recsys"

    def ready(self) -> None:
        from recsys import checks  # noqa: F401  (registers itself)
