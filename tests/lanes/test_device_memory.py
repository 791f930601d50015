"""How much memory there is: sizes as written, the machine's, the control group's."""

import jax
import pytest

from tuner.lanes.device_memory import device_memory, host_memory, parse_bytes

MB = 2**20


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("512 MiB", 512 * MB), ("1.5kb", 1500), ("7", 7), (9, 9)],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "four", "1.2.3MB", "0", "-1GB", "0.1"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match='memory is a size such as "4GB"'):
        parse_bytes(text)


def files(folder, contents):
    for name, text in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def machine(tmp_path):
    """A machine with 8 MB available, whose control groups a test writes."""

    def left(membership, **groups):
        files(tmp_path / "proc", {"meminfo": "MemFree: 1 kB\nMemAvailable: 8192 kB\n"})
        files(tmp_path / "proc", {"self/cgroup": membership})
        files(tmp_path / "groups", groups)
        return host_memory(tmp_path / "proc", tmp_path / "groups")

    return left


def test_without_a_limit_it_is_what_the_machine_has(machine):
    assert machine("0::/mine\n") == 8 * MB


def test_a_limit_of_a_group_around_ours_holds(machine):
    groups = {
        "memory.max": "max",
        "a/memory.max": str(6 * MB),
        "a/memory.current": str(3 * MB),
        "a/memory.stat": f"anon 1\ninactive_file {MB}\n",
        "a/b/memory.max": "max",
        "a/b/memory.current": "0",
    }
    assert machine("0::/a/b\n", **groups) == 4 * MB


def test_the_first_version_of_control_groups_is_read_too(machine):
    groups = {
        "memory/a/memory.limit_in_bytes": str(2 * MB),
        "memory/a/memory.usage_in_bytes": str(MB),
        "memory/memory.limit_in_bytes": str(2**63 - 4096),
        "memory/memory.usage_in_bytes": "0",
    }
    assert machine("8:pids:/a\n4:memory:/a\n", **groups) == MB


def test_devices_of_a_machine_share_its_memory():
    assert jax.local_device_count() == 2
    assert 0 < 2 * device_memory() < host_memory()


def test_an_accelerator_is_asked_itself(monkeypatch):
    class Device:
        def memory_stats(self):
            return {"bytes_limit": 1000 * MB, "bytes_in_use": 200 * MB}

    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    assert device_memory() == 0.85 * 800 * MB
