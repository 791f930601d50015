"""All measurements by name, in the order of the table: `(Scale) -> Findings`."""

from collections.abc import Callable, Mapping

from benchmarks.measurements.cold import cold
from benchmarks.measurements.growth import growth
from benchmarks.measurements.mixed import batch_sizes, mixed
from benchmarks.measurements.reading import reading
from benchmarks.measurements.second_round import second_round
from benchmarks.measurements.throughput import cnn, fused, gpu, mlp, transformer
from benchmarks.results import Findings, Scale

MEASUREMENTS: Mapping[str, Callable[[Scale], Findings]] = {
    "mlp": mlp,
    "cold": cold,
    "fused": fused,
    "transformer": transformer,
    "cnn": cnn,
    "mixed": mixed,
    "batch_sizes": batch_sizes,
    "growth": growth,
    "second_round": second_round,
    "gpu": gpu,
    "reading": reading,
}
