"""What is kept: metric tables, snapshots and the ledger that acknowledges both."""
