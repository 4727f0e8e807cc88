"""Making pairs: check what is to be made, make it, tell what happens."""
