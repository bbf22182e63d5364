"""One question put to many runs: which optimizer is better, and how sure is that."""
