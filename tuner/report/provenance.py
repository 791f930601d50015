"""Where a result comes from: what decides its bits, and where its data lies."""

from tuner.analysis.sameness import sameness_findings
from tuner.report.blocks import code, section, terms
from tuner.report.markup import Html
from tuner.report.material import Material


def reproduce(material: Material) -> Html:
    """All that decides the bits of a run."""
    definition, study = material.definition, material.study
    layouts = definition["layouts"]
    one = layouts and len(set(layouts.values())) == 1
    option = f" --layout {next(iter(layouts.values()))}" if one else ""
    command = f"tuner run STUDY.py --dir NEW_DIRECTORY --seed {study['seed']}{option}"
    versions = {"Python": definition["python"], **definition["versions"]}
    each = "; ".join(f"{name}: {layout}" for name, layout in layouts.items())
    facts = {
        "seed": f"{study['seed']}, {study['sampling']} sampling",
        "versions": ", ".join(f"{name} {text}" for name, text in versions.items()),
        "device": f"{definition['device']['kind']}, {definition['instruction_set']}",
        "layout": next(iter(layouts.values())) if one else each,
        "data": f"sha256 {definition['data'][:16]}",
    }
    said = "The same study, versions, device and layout give the same bits."
    if any(sameness_findings(definition)):
        said += (
            " This run was not trained under the same from its first step to its last, "
            "as its findings say: these are what it ended with."
        )
    return section("How to reproduce it", said, code(command), terms(facts, "facts"))


def where_it_lies(material: Material) -> Html:
    """One line for each way to read it."""
    place = material.directory
    lines = [
        f'run = tuner.open_run("{place}"); run.trials; run.best',
        f'pl.read_parquet("{place}/metrics/train/*.parquet")  # a row for each step',
        f'pl.read_parquet("{place}/metrics/valid/*.parquet")  # for each evaluation',
        f'sqlite3 {place}/trials.sqlite "select * from trials"',
    ]
    return section("Where the data lies", None, code(*lines))
