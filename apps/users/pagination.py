"""The same as `apps.api.pagination`, under the name the upper apps use."""

from apps.api.pagination import KeysetPagination

__all__ = ["KeysetPagination"]
