"""What the read-only pages with buttons share: nobody edits a row, and a button asks before it acts."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.admin import ModelAdmin


class LookOnly(ModelAdmin):
    """Rows that the software writes: to be looked at. Who may change them may use the buttons."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request) or self.has_act_permission(request)

    def has_act_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the user may press this page's buttons."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))


def done(request: HttpRequest, address: str) -> HttpResponse:
    """Send the browser on, whether it asked by itself or through the dialog's script."""
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": address})
    return redirect(address)
