"""Registries: one file a plug-in, no two of one name, nothing after loading."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from apps.plugins import ComponentConfig, PluginError, Registry

PLUGIN = '''
from apps.plugins import ComponentConfig
from tests.engine.test_plugin_registry import HELD

@HELD[-1].register("{name}")
class Mine:
    """A plug-in."""
    class Config(ComponentConfig):
        strength: int = 3
        """How much."""
    def __init__(self, config):
        self.config = config
'''
HELD: list[Registry[object]] = []


@pytest.fixture
def registry() -> Registry[object]:
    HELD.append(Registry("gadget", "apps.recommend.engine.evaluation"))  # a package with nothing that registers here
    return HELD[-1]


def plugin(folder: Path, name: str, file: str | None = None) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{file or name}.py").write_text(PLUGIN.format(name=name))


def test_a_file_in_an_added_folder_is_a_plugin(registry: Registry[object], tmp_path: Path) -> None:
    plugin(tmp_path / "gadgets_a", "mine")
    registry.add_folder(tmp_path / "gadgets_a")
    assert list(registry) == ["mine"]
    assert registry.create("mine", {"strength": 5}).config.strength == 5  # type: ignore[attr-defined]


def test_two_plugins_of_one_name_are_refused_and_both_files_are_named(
    registry: Registry[object], tmp_path: Path
) -> None:
    plugin(tmp_path / "gadgets_b", "mine", "one")
    plugin(tmp_path / "gadgets_b", "mine", "two")
    registry.add_folder(tmp_path / "gadgets_b")
    with pytest.raises(PluginError, match=r"one and .*two"):
        registry.load()


def test_after_loading_nothing_can_be_registered(registry: Registry[object]) -> None:
    registry.load()
    with pytest.raises(PluginError, match="after loading"):

        @registry.register("late")
        class Late:
            class Config(ComponentConfig):
                """Nothing."""


def test_a_plugin_without_a_config_is_refused(registry: Registry[object]) -> None:
    with pytest.raises(PluginError, match="Config"):

        @registry.register("bare")
        class Bare:
            """No Config."""


def test_an_unknown_name_lists_the_known_ones(registry: Registry[object], tmp_path: Path) -> None:
    plugin(tmp_path / "gadgets_c", "mine")
    registry.add_folder(tmp_path / "gadgets_c")
    with pytest.raises(PluginError, match="Known: mine"):
        registry.create("yours")


def test_unknown_and_wrong_parameters_are_refused(registry: Registry[object], tmp_path: Path) -> None:
    plugin(tmp_path / "gadgets_d", "mine")
    registry.add_folder(tmp_path / "gadgets_d")
    for wrong in ({"force": 1}, {"strength": "much"}):
        with pytest.raises(ValidationError):
            registry.create("mine", wrong)


def test_a_configs_digest_changes_with_its_values_only() -> None:
    class Config(ComponentConfig):
        strength: int = 3
        """How much."""

    assert Config().digest() == Config(strength=3).digest() != Config(strength=4).digest()
