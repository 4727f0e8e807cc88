"""Settings: what may be set, where values come from, and which of several wins.

Importing these modules is cheap; pydantic and the YAML reader are imported when there is
something to check or to read.
"""
