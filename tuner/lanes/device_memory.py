"""How much memory a device has: asked of the device, or of the machine for CPUs."""

import re
from pathlib import Path

import jax

MARGIN = 0.85  # of what is there: fragments and the host's own need are in no plan
UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
UNLIMITED = 2**60  # a control group without a limit says a number beyond all memory
CGROUPS = (  # limit, use: of version 2, of version 1
    ("memory.max", "memory.current"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def parse_bytes(text: str | int) -> int:
    """A size as people write it; a plain number is bytes.

    Raises:
        ValueError: where it is no size, or nothing at all.

    Examples:
        >>> parse_bytes("4GB"), parse_bytes("1.5 GiB"), parse_bytes(1000)
        (4000000000, 1610612736, 1000)
    """
    match = re.fullmatch(r"([\d.]+)\s*([KMGT]I?B)?", str(text).strip().upper())
    try:
        size = int(float(match[1]) * UNITS[match[2] or ""]) if match else 0
    except ValueError:  # 1.2.3
        size = 0
    if size < 1:
        raise ValueError(f'memory is a size such as "4GB" or "2GiB", but got {text!r}')
    return size


def device_memory() -> int:
    """Bytes that a program may use on each local device, a margin left."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return int(MARGIN * (stats["bytes_limit"] - stats.get("bytes_in_use", 0)))
    return int(MARGIN * host_memory()) // jax.local_device_count()


def host_memory(proc: Path = PROC, groups: Path = GROUPS) -> int:
    """Bytes this process can still have: the machine's, or its control group's."""
    available = _available(proc)
    return min([available, *(_left(folder) for folder in _groups(proc, groups))])


def _available(proc: Path) -> int:
    """What the machine can give without swapping; where nothing says it, no limit."""
    info = proc / "meminfo"
    if not info.exists():
        return UNLIMITED
    match = re.search(r"MemAvailable:\s+(\d+) kB", info.read_text())
    return int(match[1]) * 1024 if match else UNLIMITED


def _groups(proc: Path, root: Path) -> list[Path]:
    """This process's control groups and those around them, whose limits hold too."""
    own = proc / "self/cgroup"
    lines = own.read_text().splitlines() if own.exists() else []
    folders = []
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers in ("", "memory"):
            top = root / controllers
            inner = top / path.lstrip("/")
            folders += [inner, *(p for p in inner.parents if p.is_relative_to(top))]
    return folders


def _left(folder: Path) -> int:
    """What a control group has left; its file cache counts as free."""
    for limit, use in CGROUPS:
        if (folder / limit).exists() and (folder / use).exists():
            text = (folder / limit).read_text().strip()
            if text == "max" or int(text) >= UNLIMITED:
                return UNLIMITED
            used = int((folder / use).read_text()) - _file_cache(folder)
            return max(int(text) - used, 0)
    return UNLIMITED


def _file_cache(folder: Path) -> int:
    stat = folder / "memory.stat"
    text = stat.read_text() if stat.exists() else ""
    match = re.search(r"^(?:total_)?inactive_file (\d+)", text, re.MULTILINE)
    return int(match[1]) if match else 0
