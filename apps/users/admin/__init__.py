"""The admin of users, API keys and staff. Importing the modules registers their pages."""

from apps.users.admin import api_keys, staff, users

__all__ = ["api_keys", "staff", "users"]
