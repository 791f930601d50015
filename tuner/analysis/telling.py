"""What transferred, and what did not, in words with their numbers.

A claim is made where chance would not do as well; else "cannot tell", and what would.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tuner.analysis.agreement import FEWEST_PAIRS, Agreement, Correlation
from tuner.analysis.expectations import CARRIES, FALLS, expectation
from tuner.analysis.shifts import Shift
from tuner.analysis.transfer import ALL, PROMOTED, Transfer


def transfer_verdict(transfer: Transfer) -> str:
    """Whether the order was kept, what keeping the best has cost, on what it rests."""
    return " ".join([order(transfer), missed(transfer), rests_on(transfer)]).strip()


def order(transfer: Transfer) -> str:
    """Whether the longer runs put configurations in the same order."""
    where = f"runs of {transfer.short_steps:,} and of {transfer.long_steps:,} steps"
    found = transfer.agreement
    if transfer.num_pairs < FEWEST_PAIRS:
        return (
            f"Cannot tell whether {where} order configurations alike: "
            f"{transfer.num_pairs} have a result at both, fewer than {FEWEST_PAIRS}."
        )
    if found is None:
        return f"Cannot tell whether {where} order configurations alike: all are tied."
    told = {
        "kept": f"R{where[1:]} order configurations alike",
        "reversed": f"R{where[1:]} order configurations the other way round",
        "cannot tell": f"Cannot tell whether {where} order configurations alike",
    }
    among = f", only among the {transfer.num_pairs} promoted"
    if transfer.among != PROMOTED:
        among = f", of {transfer.num_pairs} configurations"
    return f"{told[found.verdict]}: {correlations(found)}{among}."


def correlations(found: Agreement) -> str:
    """Both rank correlations with their intervals."""
    kendall, spearman = _interval(found.kendall), _interval(found.spearman)
    return f"Kendall's tau {kendall}, Spearman's rho {spearman}"


def missed(transfer: Transfer) -> str:
    """What keeping only the best has cost, or why that is not known."""
    found = transfer.regret
    if found is None:
        if transfer.among != PROMOTED or not transfer.num_pairs:
            return ""
        return (
            "What was lost by keeping only the best is not known: no control trial "
            "went on that was not among them."
        )
    kept = found.table["keep"][-1]
    cost = found.table["regret"][-1]
    others = "others" if transfer.among == ALL else "control trials"
    if not found.better:
        lost = (
            f"Keeping the best {kept} lost nothing: none of the {found.others} {others}"
        )
        if transfer.among == ALL:
            return f"{lost} ended better."
        left = f"up to {found.most_missed:.0%} of those left behind may"
        return f"{lost} ended better, though {left}."
    lost = (
        f"Keeping the best {kept} lost {cost:.3g}: {found.better} of the "
        f"{found.others} {others} ended better than all of them"
    )
    if found.is_missing_some:
        return f"{lost}, as by lot in {found.chance:.1%} of cases."
    return f"{lost}, which by lot they do in {found.chance:.0%} of cases."


def rests_on(transfer: Transfer) -> str:
    """The share of production length that all of it rests on."""
    if transfer.share is None:
        return ""
    return (
        f"The longer runs are {transfer.share:.0%} of production length: what holds "
        "there need not hold beyond."
    )


def moved(shift: Shift) -> str:
    """How far a best region has moved, without the verdict."""
    if shift.value is not None or shift.from_value is None or shift.to_value is None:
        return f"{shift.short:.0%} to {shift.long:.0%} of the best third"
    return f"{shift.from_value:.3g} to {shift.to_value:.3g}"


def shift_verdict(shift: Shift, domain: Mapping[str, Any]) -> str:
    """Whether it moved, and whether that was expected."""
    if not shift.is_told:
        return "cannot tell"
    way = "up" if shift.shift > 0 else "down"
    if expectation(shift.name, domain) == FALLS:
        return f"moved {way}, {'as' if way == 'down' else 'not as'} expected"
    return f"moved {way}"


def recheck(transfer: Transfer, space: Mapping[str, Any]) -> list[str]:
    """What to search again in the next round: what moved, or need not carry over."""
    told = {shift.name for shift in transfer.shifts if shift.is_told}
    return [
        name
        for name, domain in space.items()
        if domain["type"] != "fixed"
        and (name in told or expectation(name, domain) not in CARRIES)
    ]


def named(shift: Shift) -> str:
    """The hyperparameter, of a choice with the value that is meant."""
    return shift.name if shift.value is None else f"{shift.name} = {shift.value}"


def listed(names: Sequence[str]) -> str:
    """Names in a row, for a sentence."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _interval(of: Correlation) -> str:
    return f"{of.value:.2f} ({of.low:.2f} to {of.high:.2f})"
