"""How numbers are written for people: counts, durations, objectives."""


def count(number: int, what: str) -> str:
    """So many of a thing.

    Examples:
        >>> count(1, "trial"), count(31500, "step")
        ('1 trial', '31,500 steps')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def number(value: int | float | str | bool | None) -> str:
    """A value in four digits; nothing where there is none.

    Examples:
        >>> number(0.0134679), number(23982.1), number(100), number(None)
        ('0.01347', '2.398e+04', '100', '')
    """
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def amount(value: int | float, unit: str) -> str:
    """So much of a unit, in three digits and by thousands.

    Examples:
        >>> amount(3_090_112, "FLOP"), amount(490.2e9, "FLOP/s"), amount(512, "B")
        ('3.09 MFLOP', '490 GFLOP/s', '512 B')
        >>> amount(999_999, "B")
        '1 MB'
    """
    prefixes = ("", "k", "M", "G", "T", "P", "E")
    power = 0
    while (digits := float(f"{value:.3g}")) >= 1000 and power < len(prefixes) - 1:
        value, power = digits / 1000, power + 1
    return f"{digits:.4g} {prefixes[power]}{unit}"


def duration(seconds: int | float) -> str:
    """A stretch of time, in the two units that tell.

    Examples:
        >>> duration(7.26), duration(42.4), duration(200), duration(3900)
        ('7.3 s', '42 s', '3 min 20 s', '1 h 5 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def clock(seconds: int | float) -> str:
    """Time since a start, in columns that line up.

    Examples:
        >>> clock(5025)
        '1:23:45'
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
