"""The command `tuner`: each command parses, calls one public function, and prints."""

from tuner.cli.commands import main

__all__ = ["main"]
