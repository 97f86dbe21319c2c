from django.urls import path

from apps.interactions.views import InteractionsView

urlpatterns = [path("interactions", InteractionsView.as_view(), name="interactions")]
