"""Addresses of users, below /api/v1/."""

from django.urls import path

from apps.users import views

urlpatterns = [
    path("users", views.UsersView.as_view(), name="users"),
    path("users/<path:user_id>/follows/<path:other_id>", views.FollowView.as_view(), name="user-follow"),
    path("users/<path:user_id>/follows", views.FollowsView.as_view(), name="user-follows"),
    path("users/<path:user_id>/merge/<path:visitor_id>", views.UnmergeView.as_view(), name="user-unmerge"),
    path("users/<path:user_id>/merge", views.MergeView.as_view(), name="user-merge"),
    path("users/<path:user_id>/export", views.ExportView.as_view(), name="user-export"),
    path("users/<path:user_id>/preferences", views.PreferencesView.as_view(), name="user-preferences"),
    path("users/<path:user_id>/token", views.TokenView.as_view(), name="user-token"),
    path("users/<path:user_id>", views.UserView.as_view(), name="user"),
    path("visitors", views.VisitorsView.as_view(), name="visitors"),
]
