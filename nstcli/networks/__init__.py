"""Networks that paint a picture in one pass, and their files."""
