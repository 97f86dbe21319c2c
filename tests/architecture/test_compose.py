"""The compose file fits the application it starts."""

import re
from typing import Any

import pytest
import yaml

from recsys.env import Environment
from tests.architecture.source import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
COMMAND_OF_THE_DEMO = "apps/storefront/management/commands/demo.py"
OURS = ("web", "worker", "trainer", "beat", "migrate")


def test_it_names_every_part_of_the_deployment() -> None:
    assert set(SERVICES) == {*OURS, "db", "redis"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_every_lasting_service_says_whether_it_is_well(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_dependencies_exist_and_can_meet_their_condition(name: str) -> None:
    for other, need in SERVICES[name].get("depends_on", {}).items():
        condition = need["condition"]
        assert condition == "service_completed_successfully" or "healthcheck" in SERVICES[other]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_named_volumes_are_declared(name: str) -> None:
    named = {volume.split(":")[0] for volume in SERVICES[name].get("volumes", [])}
    assert named <= set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_our_services_get_every_variable_that_may_be_set(name: str) -> None:
    given = set(SERVICES[name]["environment"])
    inside = {"PLUGINS_DIR", "PROMETHEUS_MULTIPROC_DIR"}  # paths: they belong into an image or volume of the shop's own
    outside = {"PORT"}  # of the host; inside it is always the same
    assert set(Environment.model_fields) - inside - outside <= given


@pytest.mark.parametrize("name", OURS)
def test_our_services_get_no_variable_that_nobody_reads(name: str) -> None:
    assert set(SERVICES[name]["environment"]) <= {*Environment.model_fields, "OPENBLAS_NUM_THREADS"}


@pytest.mark.parametrize(
    "path", ["docker-compose.yml", "deploy/Dockerfile", "docs/how-to/run-in-production.md", COMMAND_OF_THE_DEMO]
)
@pytest.mark.parametrize("option", ["--blocking-threads", "--respawn-failed-workers", "--workers-kill-timeout"])
def test_wherever_the_web_server_is_started_it_is_told_what_its_own_defaults_get_wrong(path: str, option: str) -> None:
    assert option in (ROOT / path).read_text()


def test_it_holds_no_secret_and_stands_without_an_environment_file() -> None:
    for variable in ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "POSTGRES_PASSWORD", "OPENAI_API_KEY"):
        assert set(re.findall(rf"\$\{{{variable}\b[^}}]*\}}", TEXT)) == {f"${{{variable}:-}}"}


def test_only_the_web_service_has_a_port_and_only_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:${PORT:-8000}:8000"]}
