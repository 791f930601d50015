"""What is shown: the page of a run, drawn from frames that are made elsewhere."""
