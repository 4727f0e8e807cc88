"""Errors that are shown to the user as one line: what is wrong, where, and what to do."""


class NstError(Exception):
    """Base of every error whose message is written for the user of the program."""


class InputError(NstError):
    """A file, folder or option that cannot be used as it is."""


class DivergedError(NstError):
    """An optimization whose loss became NaN, infinite or exploded beyond recovery."""


class StoppedError(NstError):
    """The environment does not let the batch go on: the disk is full, the output folder gone."""


# What says that memory has run out, besides MemoryError: torch on Linux and macOS, torch on
# Windows, the system, its loader of libraries, and the memory of a graphics card.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "Cannot allocate memory",
    "failed to map segment",
    "std::bad_alloc",
)


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory has run out; torch need not be there for it."""
    known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return known or any(text in str(error) for text in _OUT_OF_MEMORY)


def no_memory(doing: str) -> StoppedError:
    """Return the error for memory that ran out before any picture could be blamed for it."""
    return StoppedError(
        f"not enough memory to {doing}; close other programs, or let fewer processes work at once"
    )
