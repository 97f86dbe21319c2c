"""System checks: every name in every TOML must resolve before anything is served."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from apps.recommend import pipelines, recipes


@register("recommend")
def plugins_folder_exists(**_: Any) -> list[CheckMessage]:
    """PLUGINS_DIR, where it is set, is a folder."""
    folder = settings.PLUGINS_DIR
    if folder is None or Path(folder).is_dir():
        return []
    return [
        Error(
            f"PLUGINS_DIR names {folder}, which is not a folder.",
            hint="Create it, with algorithms/, sources/, stages/, metrics/ or pipelines/ inside, or unset PLUGINS_DIR.",
            id="recommend.E003",
        )
    ]


@register("recommend")
def recipes_are_sound(**_: Any) -> list[CheckMessage]:
    """Each table of each models.toml names a known algorithm, with parameters that fit."""
    return [
        Error(
            fault,
            hint="Correct the table in models.toml. An algorithm is a file in algorithms/, here or in PLUGINS_DIR.",
            id="recommend.E001",
        )
        for fault in recipes.faults()
    ]


@register("recommend")
def pipelines_are_sound(**_: Any) -> list[CheckMessage]:
    """Each pipeline's TOML names known sources, stages and models, with parameters that fit."""
    return [
        Error(
            fault,
            hint="Correct the file; names must be those of files in sources/ and stages/, and tables in models.toml.",
            id="recommend.E002",
        )
        for fault in pipelines.faults()
    ]
