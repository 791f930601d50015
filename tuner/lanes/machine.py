"""The processor of this machine, by what it can do."""

import hashlib
import platform
from pathlib import Path


def cpu_kind() -> str:
    """Its features: what is compiled for one kind may fail, or err, on another."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    told = ("model name", "flags", "Features", "CPU part")
    seen = sorted({line for line in lines if line.startswith(told)})
    described = "\n".join([platform.machine(), platform.processor(), *seen])
    return hashlib.sha256(described.encode()).hexdigest()[:12]
