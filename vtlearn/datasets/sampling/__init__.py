"""What is drawn of a video: captions and spans of seconds, by pure functions of a generator.

``spans`` chooses captions and lays windows, ``windows`` those over whole videos, which say how much
of each counts; ``overlap`` draws texts and clips that only overlap;
``narrations`` draws a training sample by them.
"""

__all__: list[str] = []
