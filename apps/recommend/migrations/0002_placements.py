"""The placements every shop has."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

PLACEMENTS = [
    ("home", "Recommended for you", "home", "home", ["trending", "popular"]),
    ("item-page", "More like this", "item", "item-page", ["popular"]),
    ("bought-together", "Often bought together", "item", "bought-together", ["item-page", "popular"]),
    ("viewed-together", "Shoppers also viewed", "item", "viewed-together", ["item-page", "popular"]),
    ("cart", "Complete your cart", "cart", "cart", ["item-page", "popular"]),
    ("category", "Favourites in this category", "category", "category", ["popular"]),
    ("search", "Search results", "search", "search", []),
    ("email", "Picked for you", "email", "email", ["trending", "popular"]),
    ("popular", "Best sellers", "any", "popular", []),
    ("trending", "Trending now", "any", "trending", ["popular"]),
    ("new", "New arrivals", "any", "newest", []),
]


def add_placements(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    placement = apps.get_model("recommend", "Placement")
    placement.objects.bulk_create(
        placement(key=key, label=label, page_type=page_type, pipeline=pipeline, fallback=fallback)
        for key, label, page_type, pipeline, fallback in PLACEMENTS
    )


class Migration(migrations.Migration):
    dependencies = [("recommend", "0001_initial")]

    operations = [migrations.RunPython(add_placements, migrations.RunPython.noop)]
