"""From paths to pairs: which pictures there are, which go together, what results are called."""
