"""Paths below /api/v1/."""

from django.urls import path

from apps.recommend import views

urlpatterns = [
    path("recommendations", views.Recommendations.as_view()),
    path("recommendations/user/<path:user_id>", views.ForUser.as_view()),
    path("recommendations/item/<path:item_id>", views.ForItem.as_view()),
    path("recommendations/popular", views.Popular.as_view()),
    path("recommendations/trending", views.Trending.as_view()),
    path("recommendations/new", views.New.as_view()),
    path("search", views.Search.as_view()),
]
