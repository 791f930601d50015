"""P7: from 64 to 4,096 trials: time of a trial-step, memory of the process, programs.

Each size in a process of its own, which has run a small study before, so that all that
is imported and kept for good is there when memory is looked at first.
"""

from collections.abc import Callable, Mapping

from benchmarks.ours import make_study, run_study
from benchmarks.results import Figure, Findings, Scale
from benchmarks.timing import Contender, Measured, in_turns
from benchmarks.workloads import load
from tuner.lanes.layout import num_cores
from tuner.rounds.display import Silent, Standing

SIZES = (64, 512, 4096)


def growth(scale: Scale) -> Findings:
    """Each size against the smallest; a fresh process for every turn."""
    sizes = SIZES if not scale.quick else (4, 8)
    steps = scale.of(250, 50)
    contenders = [
        Contender(
            name=f"{size} trials",
            make=make_growing,
            arguments={"workload": "mlp", "trials": size, "steps": steps},
            devices=num_cores(),
            needs="psutil",
        )
        for size in sizes
    ]
    turns: dict[str, list[Measured]] = {c.name: [] for c in contenders}
    for _ in range(scale.repeats):
        for contender in contenders:
            apart = not scale.quick
            turns[contender.name] += in_turns([contender], 1, apart=apart)[
                contender.name
            ]
    return Findings(
        title=f"{load('mlp').title}, {sizes[0]} to {sizes[-1]} trials x {steps} steps",
        figures=list(_figures(turns)),
        turns=turns,
    )


def make_growing(workload: str, trials: int, steps: int) -> Callable[[], Measured]:
    """`tuner.run` with an eye on the memory of its process."""
    declared = load(workload)
    few = min(trials, SIZES[0])
    run_study(make_study(declared, few, steps), Silent())

    def run():
        memory = Memory()
        measured = run_study(make_study(declared, trials, steps), memory)
        return Measured(
            steps=measured.steps,
            seconds=measured.seconds,
            notes={**measured.notes, **memory.megabytes()},
        )

    return run


class Memory(Silent):
    """The resident memory of this process after each segment."""

    def __init__(self) -> None:
        import psutil  # an extra

        self._process = psutil.Process()
        self._bytes: list[int] = []

    def advanced(self, standing: Callable[[], Standing]) -> None:
        """One more sample."""
        self._bytes.append(self._process.memory_info().rss)

    def megabytes(self) -> Mapping[str, float]:
        """At the beginning, half-way, at the end, and the highest."""
        half = self._bytes[len(self._bytes) // 2]
        samples = {
            "first_mb": self._bytes[0],
            "half_mb": half,
            "last_mb": self._bytes[-1],
            "peak_mb": max(self._bytes),
        }
        return {name: value / 1e6 for name, value in samples.items()}


def _figures(turns: Mapping[str, list[Measured]]):
    (first, smallest), *_, (last, largest) = turns.items()
    pairs = list(zip(largest, smallest, strict=True))
    for name, others in list(turns.items())[1:]:
        yield Figure(
            number="P7",
            claim=f"time of a trial-step, {name} to {first}",
            values=[b.speed / a.speed for a, b in zip(others, smallest, strict=True)],
            most=1.1,
        )
    yield Figure(
        number="P7",
        claim=f"peak memory, {last} to {first}",
        values=[a.notes["peak_mb"] / b.notes["peak_mb"] for a, b in pairs],
        most=1.1,
    )
    yield Figure(
        number="P7",
        claim=f"memory gained in the second half of {last}",
        values=[a.notes["last_mb"] - a.notes["half_mb"] for a in largest],
        unit="MB",
    )
    yield Figure(
        number="P7",
        claim=f"compilations, {last} less {first}",
        values=[a.notes["compilations"] - b.notes["compilations"] for a, b in pairs],
        most=0,
        unit="",
    )
