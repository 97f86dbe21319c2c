"""Plug-ins: a registry of named classes, each in a file of its own, each with a validated configuration.

Knows neither Django nor any app. See `docs/how-to/add-an-algorithm.md`.
"""

import hashlib
import importlib
import importlib.util
import json
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict


class ComponentConfig(BaseModel):
    """A plug-in's parameters: immutable, no unknown keys, each field described by the string below it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def digest(self) -> str:
        """Eight bytes, in hexadecimal, that change whenever a parameter does."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()


class Component(Protocol):
    """A class with a nested `Config`, built from an instance of it."""

    Config: type[ComponentConfig]

    def __init__(self, config: Any) -> None: ...


C = TypeVar("C", bound=Component)

_ADDED = "recsys_plugins"  # modules of added folders are imported below this name


class PluginError(Exception):
    """A plug-in that cannot be registered, found or configured. The message names it and what to do."""


class Registry(Generic[C]):
    """Plug-ins of one shape, found by importing every module of one package, in alphabetical order, once.

    After `load()` the registry is frozen: registering again raises `PluginError`.
    """

    def __init__(self, shape: str, package: str) -> None:
        self.shape = shape
        self.package = package
        self._classes: dict[str, type[C]] = {}
        self._origin: dict[str, str] = {}
        self._frozen = False
        self._folders: list[Path] = []

    def register(self, name: str) -> Callable[[type[C]], type[C]]:
        """Class decorator: make the class known as `name`. Raises PluginError on a second use of the name."""

        def remember(cls: type[C]) -> type[C]:
            if self._frozen:
                raise PluginError(f"{self.shape} {name!r} registers after loading; put its file in {self.package}.")
            if name in self._classes:
                raise PluginError(
                    f"two {self.shape}s are called {name!r}: {self._origin[name]} and {cls.__module__}. Rename one."
                )
            if not issubclass(getattr(cls, "Config", type(None)), ComponentConfig):
                raise PluginError(f"{self.shape} {name!r} has no nested Config(ComponentConfig).")
            self._classes[name] = cls
            self._origin[name] = cls.__module__
            return cls

        return remember

    def add_folder(self, folder: Path) -> None:
        """Also import the `*.py` files of `folder` on loading: a shop's own plug-ins."""
        if self._frozen:
            raise PluginError(f"the {self.shape} registry is loaded already; {folder} comes too late.")
        self._folders.append(folder)

    def load(self) -> None:
        """Import the package's modules and the added folders' files, then freeze. Later calls do nothing."""
        if self._frozen:
            return
        package = importlib.import_module(self.package)
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
            importlib.import_module(f"{self.package}.{module.name}")
        for folder in self._folders:
            for path in sorted(folder.glob("*.py")):
                name = f"{_ADDED}.{folder.name}.{path.stem}"
                spec = importlib.util.spec_from_file_location(name, path)
                if spec is None or spec.loader is None:
                    raise PluginError(f"{path} cannot be imported.")
                loaded = importlib.util.module_from_spec(spec)
                sys.modules[name] = loaded
                spec.loader.exec_module(loaded)
        self._frozen = True

    def __getitem__(self, name: str) -> type[C]:
        self.load()
        try:
            return self._classes[name]
        except KeyError:
            known = ", ".join(sorted(self._classes))
            raise PluginError(f"no {self.shape} is called {name!r}. Known: {known}.") from None

    def __contains__(self, name: object) -> bool:
        self.load()
        return name in self._classes

    def __iter__(self) -> Iterator[str]:
        self.load()
        return iter(sorted(self._classes))

    def added(self) -> list[str]:
        """Names of the plug-ins that came from added folders, sorted."""
        self.load()
        return sorted(name for name, module in self._origin.items() if module.startswith(f"{_ADDED}."))

    def create(self, name: str, config: dict[str, Any] | None = None) -> C:
        """An instance of the plug-in called `name`.

        Raises PluginError for an unknown name, pydantic.ValidationError for a configuration that does not fit.
        """
        cls = self[name]
        return cls(cls.Config(**(config or {})))
