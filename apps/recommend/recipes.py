"""Recipes: what the shop trains. A recipe is a table of `models.toml`: a name, an algorithm and its parameters.

Beside the algorithm's own parameters any table may hold those of a lens: `window_days`, `half_life_days` and
`weights` say how the model looks at events.

The file in this package is read first, then `PLUGINS_DIR/pipelines/models.toml`, then the files of
`PLUGINS_DIR/pipelines/models/` (what `manage.py tune` writes); their tables are added and replace those of the same
name as a whole. An algorithm in PLUGINS_DIR is also a model of its own name, with its default parameters unless a
table says otherwise: adding an algorithm takes one file.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from pydantic import ValidationError

from apps.plugins import ComponentConfig, PluginError
from apps.recommend.engine.lens import Lens, lens_and_rest, through_lens
from apps.recommend.engine.registries import ALGORITHMS

_NAME = re.compile(r"[a-z][a-z0-9_]{0,23}")
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
PLACEHOLDERS = ("TEXT_ENCODER",)  # parameters end up in manifests, so no secret may ever be added here
BASELINE_HALF_LIFE = 14.0  # days: the popularity that models are held against is what sells at the moment


class RecipeError(Exception):
    """A recipe that cannot be read or does not exist. The message names the file, the table and the field."""


@dataclass(frozen=True)
class Recipe:
    """How one model is made. Two recipes with the same `digest` train the same model on the same data."""

    name: str
    algorithm: str
    config: ComponentConfig
    lens: Lens = field(default_factory=Lens)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that change with the algorithm or any parameter, defaults included."""
        canonical = json.dumps([self.algorithm, self.parameters], sort_keys=True)
        return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()

    @property
    def parameters(self) -> dict[str, Any]:
        """Every parameter with its value, and what the lens sets, as JSON can hold it."""
        return self.config.model_dump(mode="json") | self.lens.parameters()

    @property
    def collaborative(self) -> bool:
        return bool(ALGORITHMS[self.algorithm].collaborative)

    @property
    def reads_texts(self) -> bool:
        return bool(ALGORITHMS[self.algorithm].reads_texts)

    def build(self) -> Any:
        """A fresh instance of the algorithm, which sees events through the recipe's lens."""
        return through_lens(ALGORITHMS[self.algorithm](self.config), self.lens)

    @classmethod
    def of(cls, name: str, algorithm: str, parameters: Mapping[str, Any]) -> "Recipe":
        """A recipe from its parts. Raises RecipeError for an unknown algorithm or parameters that do not fit."""
        try:
            config_class = ALGORITHMS[algorithm].Config
            of_lens, own = lens_and_rest(config_class, parameters)
            config, lens = config_class(**own), Lens(**of_lens)
        except PluginError as problem:
            raise RecipeError(f"model {name!r}: {problem}") from problem
        except ValidationError as problem:
            faults = "; ".join(
                f"{'.'.join(str(part) for part in fault['loc']) or 'parameters'}: {fault['msg']}"
                for fault in problem.errors()
            )
            raise RecipeError(f"model {name!r} ({algorithm}): {faults}") from problem
        return cls(name=name, algorithm=algorithm, config=config, lens=lens)


def baselines() -> dict[str, Recipe]:
    """What every evaluation is held against, by name: what sells at the moment, and item neighbourhoods."""
    return {
        "popularity": Recipe.of("popularity", "popularity", {"half_life_days": BASELINE_HALF_LIFE}),
        "item_knn": Recipe.of("item_knn", "item_knn", {}),
    }


def files() -> list[Path]:
    """The files recipes are read from, later ones overriding earlier ones."""
    found = [Path(__file__).parent / "pipelines" / "models.toml"]
    if settings.PLUGINS_DIR is not None:
        own = Path(settings.PLUGINS_DIR) / "pipelines"
        found += [own / "models.toml", *sorted((own / "models").glob("*.toml"))]
    return [path for path in found if path.is_file()]


def all_recipes() -> dict[str, Recipe]:
    """Every recipe by name, in the order of the files. Raises RecipeError at the first one that is wrong."""
    return {name: Recipe.of(name, *_parts(path, name, table)) for name, (path, table) in _tables().items()}


def recipe(name: str) -> Recipe:
    """The recipe called `name`. Raises RecipeError, naming those there are, when there is none."""
    tables = _tables()
    if name not in tables:
        raise RecipeError(f"no model is called {name!r}. Known: {', '.join(tables)}.")
    path, table = tables[name]
    return Recipe.of(name, *_parts(path, name, table))


def table(name: str) -> dict[str, Any]:
    """The table of the recipe called `name` as it stands in its file, placeholders and all. Raises as `recipe`."""
    recipe(name)
    return dict(_tables()[name][1])


def faults() -> list[str]:
    """A sentence for each recipe that is wrong; empty when all is well."""
    try:
        tables = _tables()
    except RecipeError as problem:
        return [str(problem)]
    found = []
    for name, (path, table) in tables.items():
        try:
            Recipe.of(name, *_parts(path, name, table))
        except RecipeError as problem:
            found.append(f"{path}: {problem}")
    return found


def _tables() -> dict[str, tuple[Path, Mapping[str, Any]]]:
    tables: dict[str, tuple[Path, Mapping[str, Any]]] = {}
    for path in files():
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
            raise RecipeError(f"{path} is not TOML: {problem}") from problem
        for name, table in content.items():
            if not _NAME.fullmatch(name):
                raise RecipeError(f"{path}: a model's name is made of a-z, 0-9 and _, at most 24; {name!r} is not.")
            if not isinstance(table, dict):
                raise RecipeError(f"{path}: {name!r} stands outside any table; write it below [model-name].")
            tables[name] = (path, table)
    for algorithm in ALGORITHMS.added():
        tables.setdefault(algorithm, (Path(str(settings.PLUGINS_DIR)), {"algorithm": algorithm}))
    return tables


def _parts(path: Path, name: str, table: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    parameters = {key: _expanded(value, f"{path}: {name}.{key}") for key, value in table.items()}
    algorithm = parameters.pop("algorithm", None)
    if not isinstance(algorithm, str):
        raise RecipeError(f'{path}: [{name}] names no algorithm. Add a line: algorithm = "…".')
    return algorithm, parameters


def _expanded(value: Any, where: str) -> Any:
    """`value` with ${NAME} replaced by that setting, for the settings in PLACEHOLDERS."""
    if not isinstance(value, str):
        return value

    def setting(match: re.Match[str]) -> str:
        if match[1] not in PLACEHOLDERS:
            raise RecipeError(f"{where}: ${{{match[1]}}} is not known. Known: {', '.join(PLACEHOLDERS)}.")
        return str(getattr(settings, match[1]))

    return _PLACEHOLDER.sub(setting, value)
