"""What goes on: rounds of trials, promotion between them, and the driver of a study."""
