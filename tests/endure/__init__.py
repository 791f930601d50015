"""Trials of endurance: too long for every day, started by `scripts/endure NAME`."""
