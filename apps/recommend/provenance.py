"""Where a model comes from: the version of this code and of the libraries it was made with."""

import importlib.metadata
import subprocess
from functools import lru_cache

from django.conf import settings

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "implicit", "annoy", "sentence-transformers", "torch")


@lru_cache(maxsize=1)
def code_version() -> str:
    """What `git describe` says of this code, or the installed package's version, or "unknown"."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(settings.BASE_DIR), "describe", "--always", "--dirty", "--tags"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):  # no git here: an installed package or a container
        return _version_of("recsys") or "unknown"
    return answer.stdout.strip() or _version_of("recsys") or "unknown"


def library_versions() -> dict[str, str]:
    """The libraries that shape a model, as far as they are installed, with their versions."""
    return {library: version for library in _LIBRARIES if (version := _version_of(library))}


def _version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
