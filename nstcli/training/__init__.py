"""Train a transformation network for a style: photos and artworks in, a file of a network out."""
