"""Prints lines of a command, in which names may be anything."""

import sys

import typer

from tuner.study.text import printable


def say(text: object, *, err: bool = False) -> None:
    """Print lines in which no character acts on the terminal."""
    typer.echo(printable(str(text), lines=True), err=err)


def hand_over(data: str) -> None:
    """Print data: exactly where they are read by a program, as lines on a screen."""
    typer.echo(printable(data, lines=True) if sys.stdout.isatty() else data, nl=False)
