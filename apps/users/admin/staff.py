"""Who may sign in here, and the roles that say what they may do: Django's pages in the looks of this admin."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class StaffAdmin(UserAdmin, ModelAdmin):
    """People who work with this admin. Shoppers are under Users."""

    about = "People who may sign in here, if they have the staff status. Shoppers are under Users."
    list_before_template = "admin/about.html"
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "is_staff", "is_superuser", "is_active", "last_login"]
    list_filter = ["is_staff", "is_superuser", "is_active", "groups"]
    autocomplete_fields = ["groups"]


@admin.register(Group)
class RoleAdmin(GroupAdmin, ModelAdmin):
    """Sets of rights to give to staff."""

    about = "A role is a set of rights. Give it to people under Staff."
    list_before_template = "admin/about.html"
