"""Every registered plug-in explains itself: it is what people read before they write their own."""

import inspect

import pytest

from apps.recommend.engine.registries import FOLDERS

PLUGINS = [(folder, name) for folder, registry in sorted(FOLDERS.items()) for name in registry]


@pytest.mark.parametrize(("folder", "name"), PLUGINS)
def test_a_plugin_says_what_it_does(folder: str, name: str) -> None:
    cls = FOLDERS[folder][name]
    assert cls.__doc__, f"{name} has no docstring"


@pytest.mark.parametrize(("folder", "name"), PLUGINS)
def test_a_plugin_describes_each_of_its_parameters(folder: str, name: str) -> None:
    fields = FOLDERS[folder][name].Config.model_fields
    assert [field for field, info in fields.items() if not info.description] == []


@pytest.mark.parametrize(("folder", "name"), PLUGINS)
def test_a_plugin_works_with_default_parameters_or_names_those_it_needs(folder: str, name: str) -> None:
    cls = FOLDERS[folder][name]
    if not any(info.is_required() for info in cls.Config.model_fields.values()):
        cls(cls.Config())


@pytest.mark.parametrize(("folder", "name"), PLUGINS)
def test_a_plugin_is_alone_in_its_file(folder: str, name: str) -> None:
    file = inspect.getfile(FOLDERS[folder][name])
    assert [other for kind, other in PLUGINS if inspect.getfile(FOLDERS[kind][other]) == file] == [name]
