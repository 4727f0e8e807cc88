"""The command line: the only code that prints, the only importer of typer and rich."""
