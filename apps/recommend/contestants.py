"""What can be evaluated and compared, by name: models of models.toml, and whole pipelines."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from apps.recommend import recipes
from apps.recommend.engine.blend import blend_of
from apps.recommend.engine.pipeline import PipelineSpec
from apps.recommend.engine.protocols import Algorithm
from apps.recommend.pipelines import pipelines
from apps.recommend.recipes import Recipe

PIPELINE = "pipeline:"


class UnknownContestant(Exception):
    """A name that stands for nothing that can be evaluated. The message says what would."""


@dataclass(frozen=True, eq=False)
class Contestant:
    """Something that can be fitted and asked."""

    name: str
    algorithm: Algorithm
    parameters: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, recipe: Recipe) -> "Contestant":
        return cls(recipe.name, recipe.build(), {"algorithm": recipe.algorithm, **recipe.parameters})

    @property
    def reads_texts(self) -> bool:
        return bool(self.algorithm.reads_texts)


def contestant(name: str) -> Contestant:
    """The model of models.toml called `name`; with `pipeline:` before it, the pipeline of that name or in that file.

    A pipeline's file brings the models along that `manage.py tune` wrote to `models/` beside it. Raises RecipeError
    for a model, UnknownContestant for a pipeline that does not exist or cannot be asked for a user's taste alone.
    """
    if not name.startswith(PIPELINE):
        return Contestant.of(recipes.recipe(name))
    wanted = name.removeprefix(PIPELINE)
    spec, models = _file(Path(wanted)) if wanted.endswith(".toml") else (_named(wanted), recipes.all_recipes())
    try:
        blend = blend_of(spec, models)
    except KeyError as unknown:
        raise UnknownContestant(f"{name} asks the model {unknown.args[0]!r}, which no models.toml has.") from unknown
    except ValueError as problem:
        raise UnknownContestant(f"{name} cannot be evaluated: {problem}.") from problem
    notes = tuple(f"{name}: {note}" for note in blend.notes)
    return Contestant(name, cast(Algorithm, blend), spec.model_dump(mode="json", exclude_defaults=True), notes)


def _named(name: str) -> PipelineSpec:
    known = pipelines()
    if name not in known:
        raise UnknownContestant(f"no pipeline is called {name!r}. Known: {', '.join(known)}.")
    return known[name].spec


def _file(path: Path) -> tuple[PipelineSpec, dict[str, Recipe]]:
    models = recipes.all_recipes()
    beside = path.parent / "models" / path.name
    try:
        spec = PipelineSpec.read(path)
        tables = tomllib.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as problem:
        raise UnknownContestant(f"{path} is not a pipeline: {problem}") from problem
    for name, table in tables.items():
        parameters = dict(table)
        models[name] = Recipe.of(name, str(parameters.pop("algorithm", "")), parameters)
    return spec, models
