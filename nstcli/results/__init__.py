"""The output folder: what is known of each result, how it stands, and who is making it."""
