"""The arguments that commands of `tuner` share."""

from pathlib import Path
from typing import Annotated

import typer

StudyFile = Annotated[
    str,
    typer.Argument(
        metavar="STUDY", help="The study's file, or FILE:NAME where it has several."
    ),
]
RunDirectory = Annotated[
    Path, typer.Argument(metavar="DIR", help="The directory of a run.")
]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Fix a hyperparameter; may be repeated."
    ),
]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Instead of the study's.")]
NoLock = Annotated[
    bool,
    typer.Option(
        "--no-lock",
        help="For a file system without locks; see yourself that nobody else writes.",
    ),
]
LayoutText = Annotated[
    str | None,
    typer.Option(metavar="2x8x4", help="Devices x chunks x width of every program."),
]
