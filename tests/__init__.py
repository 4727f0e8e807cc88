"""A regular package, so that no other `tests` on the path comes before these."""
