"""Paths below /fragments/."""

from django.urls import path

from apps.recommend.views_widgets import fragment

urlpatterns = [path("<slug:placement>", fragment, name="recommendations-fragment")]
