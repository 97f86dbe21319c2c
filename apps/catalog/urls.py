"""Addresses of the catalog, below /api/v1/."""

from django.urls import path

from apps.catalog import views

urlpatterns = [
    path("items", views.ItemsView.as_view(), name="items"),
    path("items/<path:item_id>", views.ItemView.as_view(), name="item"),
    path("categories", views.CategoriesView.as_view(), name="categories"),
]
