"""Storing the planted world: through the shop's own doors, once."""

import dataclasses
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.catalog import selectors as catalog
from apps.interactions import selectors as interactions
from apps.interactions.models import Event
from apps.storefront.models import DemoShop
from apps.storefront.selectors import shop_facts
from apps.storefront.services import AnotherShop, demo_shop_create
from apps.storefront.world import WorldSize
from apps.users import selectors as users

TINY = WorldSize(items=48, shoppers=20, events=600, seed=3)


@pytest.mark.django_db
def test_the_whole_world_is_stored_with_its_two_known_ids() -> None:
    facts = demo_shop_create(TINY)
    assert facts.finished
    assert len(catalog.item_columns()) == TINY.items
    assert Event.objects.count() == TINY.events
    assert facts.samples[0].external_id == "12345"
    assert catalog.item_facts("67890") is not None
    shopper = users.user_by_external_id("12345")
    assert shopper is not None
    assert len(interactions.recent_taste(shopper.id)) > 20


@pytest.mark.django_db
def test_creating_it_again_changes_nothing() -> None:
    demo_shop_create(TINY)
    revision = catalog.latest_revision()
    demo_shop_create(TINY)
    assert Event.objects.count() == TINY.events
    assert catalog.latest_revision() == revision


@pytest.mark.django_db
def test_a_creation_that_was_interrupted_is_finished_without_doubling_anything() -> None:
    demo_shop_create(TINY)
    revision = catalog.latest_revision()
    DemoShop.objects.update(finished_at=None)
    demo_shop_create(TINY)
    facts = shop_facts()
    assert facts is not None
    assert facts.finished
    assert Event.objects.count() == TINY.events
    assert catalog.latest_revision() == revision


@pytest.mark.django_db
def test_a_second_shop_of_another_size_is_refused() -> None:
    demo_shop_create(TINY)
    with pytest.raises(AnotherShop, match="48 products"):
        demo_shop_create(dataclasses.replace(TINY, items=49))


@pytest.mark.django_db
def test_the_command_says_what_it_made_and_refuses_nonsense() -> None:
    out = StringIO()
    call_command("create_demo_shop", items=24, shoppers=5, events=50, stdout=out)
    assert "24 products, 5 shoppers, 50 events" in out.getvalue()
    with pytest.raises(CommandError, match="--items"):
        call_command("create_demo_shop", items=0)
    with pytest.raises(CommandError, match="already"):
        call_command("create_demo_shop", items=25, shoppers=5, events=50)
