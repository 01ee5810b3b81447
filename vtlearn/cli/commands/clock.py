"""Seconds as people read them in a table."""

__all__ = ["clock_time"]


def clock_time(seconds: float) -> str:
    """Write seconds as a player shows them, and to the tenth.

    Args:
        seconds: From the start of a video.

    Example:
        >>> clock_time(75.55), clock_time(3600.96)
        ('1:15.6', '1:00:01.0')
    """
    minutes, tenths = divmod(round(seconds * 10), 600)
    hours, minutes = divmod(minutes, 60)
    whole = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{whole}:{tenths // 10:02}.{tenths % 10}"
