"""Errors that are shown to the user as one line: what is wrong, where, and what to do."""


class NstError(Exception):
    """Base of every error whose message is written for the user of the program."""


class InputError(NstError):
    """A file, folder or option that cannot be used as it is."""


class DivergedError(NstError):
    """An optimization whose loss became NaN, infinite or exploded beyond recovery."""


class StoppedError(NstError):
    """The environment does not let the batch go on: the disk is full, the output folder gone."""
