"""Times for people: on the screen and on the page alike."""


def duration(seconds: float) -> str:
    """Write a time for people: `3.4s`, `4m31s`, `2h05m`."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"
