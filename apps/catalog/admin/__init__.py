"""The admin of the catalog, for the shop's merchandisers. Importing the modules registers their pages."""

from apps.catalog.admin import categories, items

__all__ = ["categories", "items"]
