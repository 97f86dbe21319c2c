import pytest

from apps.interactions.event_types import BY_NAME, TYPES, UnknownEventType, resolve
from apps.interactions.models import EventType


@pytest.mark.parametrize(
    ("alias", "canonical"),
    [
        ("view", "view_item"),
        ("detail-page-view", "view_item"),
        ("product_view", "view_item"),
        ("click", "select_item"),
        ("cart", "add_to_cart"),
        ("cartaddition", "add_to_cart"),
        ("add-to-cart", "add_to_cart"),
        ("addtocart", "add_to_cart"),
        ("Add To Cart", "add_to_cart"),
        ("basket", "add_to_cart"),
        ("purchase-complete", "purchase"),
        ("order", "purchase"),
        ("buy", "purchase"),
        ("impression", "render_item_list"),
        ("rating", "rate"),
        ("bookmark", "like"),
    ],
)
def test_an_alias_stands_for_its_canonical_type(alias: str, canonical: str) -> None:
    assert resolve(alias).name == canonical


def test_every_canonical_name_and_alias_resolves_to_its_own_type() -> None:
    for kind in TYPES:
        for name in (kind.name, *kind.aliases.split()):
            assert resolve(name) is kind, name


def test_an_unknown_type_is_refused_with_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(UnknownEventType) as error:
        resolve("purchace")
    assert "Did you mean purchase?" in str(error.value)
    assert all(name in str(error.value) for name in BY_NAME)


def test_nothing_that_is_only_shown_is_a_taste_event() -> None:
    assert {kind.name for kind in TYPES if not kind.taste} == {"search", "render_item_list", "view_item_list"}


@pytest.mark.django_db
def test_a_migrated_database_has_every_type() -> None:
    stored = {row.id: (row.name, row.taste) for row in EventType.objects.all()}
    assert stored == {kind.code: (kind.name, kind.taste) for kind in TYPES}


@pytest.mark.django_db(transaction=True)
def test_an_emptied_database_has_every_type_again() -> None:
    from django.core.management import call_command

    EventType.objects.filter(name="view_item").update(weight=7)
    call_command("flush", interactive=False, verbosity=0)
    assert EventType.objects.count() == len(TYPES)
    assert EventType.objects.get(name="view_item").weight == 1


@pytest.mark.django_db
def test_migrating_again_keeps_what_merchandisers_set() -> None:
    from django.apps import apps
    from django.db.models.signals import post_migrate

    EventType.objects.filter(name="like").update(weight=9)
    config = apps.get_app_config("interactions")
    post_migrate.send(sender=config, app_config=config, using="default", apps=apps, verbosity=0, interactive=False)
    assert EventType.objects.get(name="like").weight == 9
