"""Addresses below /shop/."""

from django.urls import path

from apps.storefront import views

app_name = "storefront"

urlpatterns = [
    path("", views.home, name="home"),
    path("new/", views.newest, name="newest"),
    path("category/<path:slug>/", views.category, name="category"),
    path("item/<path:item_id>", views.item, name="item"),
    path("search/", views.search, name="search"),
    path("cart/", views.cart, name="cart"),
    path("cart/add", views.cart_add, name="cart-add"),
    path("cart/change", views.cart_change, name="cart-change"),
    path("cart/checkout", views.checkout, name="checkout"),
    path("thanks/", views.thanks, name="thanks"),
    path("become", views.become, name="become"),
    path("pictures/<path:item_id>.svg", views.picture, name="picture"),
]
