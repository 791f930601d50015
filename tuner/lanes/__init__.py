"""How trials train: many lanes of one compiled program, one trial a lane at a time."""
