import pytest

from apps.users.api_keys import forget_keys


@pytest.fixture(autouse=True)
def _no_keys_remembered() -> None:
    """Keys of the test before are gone from the database, so they must be gone from memory."""
    forget_keys()
