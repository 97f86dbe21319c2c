"""Pipelines and models as TOML: the shipped ones here, a shop's own in PLUGINS_DIR/pipelines, which win by name.

An algorithm of the shop's own has a pipeline of its name too, which asks it for what suits the user, so that it can be
put on a placement before anybody writes TOML.
"""

import tomllib
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from pydantic import ValidationError

from apps.plugins import PluginError
from apps.recommend import recipes
from apps.recommend.engine.pipeline import Pipeline, PipelineSpec, SourceSpec, StageSpec
from apps.recommend.engine.registries import ALGORITHMS

SHIPPED = Path(__file__).parent
MODELS_FILE = "models.toml"


def folders() -> list[Path]:
    """Where TOML files are looked for; later folders win."""
    own = [] if settings.PLUGINS_DIR is None else [Path(settings.PLUGINS_DIR) / "pipelines"]
    return [SHIPPED, *(folder for folder in own if folder.is_dir())]


@lru_cache
def pipelines() -> dict[str, Pipeline]:
    """Every pipeline by name, built once per process; files do not change while it runs.

    Raises what `PipelineSpec.read` and `Pipeline` raise; the system check names the file.
    """
    found = {name: Pipeline(PipelineSpec.read(path)) for name, path in _paths().items()}
    for algorithm in ALGORITHMS.added():
        found.setdefault(algorithm, Pipeline(_plain(algorithm)))
    return found


def pipeline_choices() -> list[tuple[str, str]]:
    """(name, label) of every pipeline, for forms."""
    return [(name, f"{pipeline.spec.label} ({name})") for name, pipeline in pipelines().items()]


def faults() -> list[str]:
    """A sentence for each pipeline that is wrong; empty when all is well."""
    found = []
    try:
        models = set(recipes.all_recipes())
    except recipes.RecipeError:
        return []  # reported for models.toml itself
    for path in _paths().values():
        try:
            pipeline = Pipeline(PipelineSpec.read(path))
        except tomllib.TOMLDecodeError as problem:
            found.append(f"{path} is not TOML: {problem}")
        except PluginError as problem:
            found.append(f"{path}: {problem}")
        except ValidationError as problem:
            for fault in problem.errors():
                field = ".".join(str(part) for part in fault["loc"])
                found.append(f"{path}: {field or 'the file'}: {fault['msg']}")
        else:
            unknown = [name for name in pipeline.spec.models if name not in models]
            found += [f"{path}: no model is called {name!r}. Known: {', '.join(sorted(models))}." for name in unknown]
    return found


def _plain(model: str) -> PipelineSpec:
    return PipelineSpec(
        name=model,
        label=model.replace("_", " ").capitalize(),
        sources=(SourceSpec(use="nearest_to_user", config={"model": model}),),
        stages=(StageSpec(use="drop_seen"),),
    )


def _paths() -> dict[str, Path]:
    found = {path.stem: path for folder in folders() for path in folder.glob("*.toml") if path.name != MODELS_FILE}
    return dict(sorted(found.items()))
