"""How much memory this process has held since a moment of our choosing, and how much it may hold."""

import ctypes
import resource
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # see proc_pid_clear_refs(5)


def start_of_peak() -> None:
    """Count from here, where the system can; elsewhere the peak stays that of the whole process."""
    try:
        CLEAR.write_text(RESET_PEAK)
    except OSError:
        return


def peak_mb() -> float:
    """Megabytes (10^6 bytes) of resident memory at the highest."""
    try:
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def limit_memory(gigabytes: float) -> None:
    """From now on, whoever asks for more than this (10^9 bytes, in all) gets a MemoryError. Never raises the limit."""
    wanted = int(gigabytes * 1e9)
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if wanted <= 0:
        raise ValueError("--memory-gb: wanted more than 0.")
    if soft == resource.RLIM_INFINITY or soft > wanted:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def give_back() -> None:
    """Return freed memory to the system, where the C library can; it keeps tens of MB after much has been read."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
