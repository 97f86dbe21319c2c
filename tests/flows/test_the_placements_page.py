"""docs/how-to/placements.md: its pipelines are the shipped files, and its calls answer as it says."""

import json
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from apps.interactions.services import EventInput, events_record
from apps.recommend.pipelines import SHIPPED
from apps.recommend.shipped_placements import PLACEMENTS

PAGE = Path(settings.BASE_DIR) / "docs" / "how-to" / "placements.md"
KEYS = [key for key, *_ in PLACEMENTS]
PIPELINES = {key: pipeline for key, _, _, pipeline, _ in PLACEMENTS}


@cache
def sections() -> dict[str, str]:
    """What the page says below the heading of each placement."""
    parts = re.split(r"^## .*: `(.+)`\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def block(key: str, language: str) -> str:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", sections()[key], flags=re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{key}: one block of {language}"
    return found[0]


def test_every_shipped_placement_has_a_section_and_nothing_else_has() -> None:
    assert sorted(sections()) == sorted(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_the_pipeline_on_the_page_is_the_file(key: str) -> None:
    path = SHIPPED / f"{PIPELINES[key]}.toml"
    assert f"`{path.name}`:" in sections()[key]
    assert block(key, "toml") == path.read_text(encoding="utf-8"), f"Copy {path.name} into {PAGE.name}."


def asked(api: APIClient, command: str) -> dict[str, Any]:
    """What the API answers to a curl command."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "curl"
    url = urlsplit(words[-1])
    address = f"{url.path}?{url.query}"
    if "-d" in words:
        response = api.post(address, json.loads(words[words.index("-d") + 1]), format="json")
    else:
        response = api.get(address)
    assert response.status_code == 200, response.content
    return dict(response.json())


def test_every_call_is_answered_by_the_pipeline_with_the_reasons_the_page_tells(
    trained_shop: None, api: APIClient
) -> None:
    events_record([EventInput("view", item_id="lamp-3", user_id="shopper-1")])
    of_home = set(re.findall(r"`(\w+)`", sections()["home"].partition("Reasons: ")[2]))
    for key in KEYS:
        body = asked(api, block(key, "sh"))
        assert body["placement"] == key
        assert body["pipeline"] == PIPELINES[key]
        told = sections()[key].partition("Reasons: ")[2]
        codes = set(re.findall(r"`(\w+)`", told)) | (of_home if "those of the home page" in told else set())
        assert len(body["recommendations"]) == 2, key
        assert body["recommendations"][0]["source"] in {*block(key, "toml").replace('"', " ").split()}, key
        for entry in body["recommendations"]:
            assert entry["reason"]["code"] in codes, key
