"""Where a step is drawn: a frame with a centre, a scale and a left and right of its own.

Motions speak in units of 1/64 of the frame's side, from the centre of the step, x to the right and
y down; the stage turns them into pixels. So one motion serves every frame size, place and scale.
"""

from PIL import Image, ImageDraw

from vtlearn.kitchen.sprites import Colour, disc, emoji, slab

__all__: list[str] = []


class Stage:
    """One frame being drawn.

    Args:
        frame: What is drawn on, square, RGB.
        x: Where the centre of the step is, in units from the frame's left.
        y: The same from the frame's top.
        scale: Enlarges everything.
        mirrored: Whether left and right are exchanged.
    """

    def __init__(
        self, frame: Image.Image, *, x: float, y: float, scale: float, mirrored: bool
    ) -> None:
        self.frame = frame
        self.x, self.y = x, y
        self.scale = scale
        self.mirrored = mirrored
        self.unit = frame.width / 64
        self._draw = ImageDraw.Draw(frame)

    def emoji(self, glyph: str, x: float, y: float, size: float, angle: float = 0.0) -> None:
        """Draw an emoji.

        Args:
            glyph: One character.
            x: Of its centre, units.
            y: Of its centre, units.
            size: Units of its longer side.
            angle: Degrees, counter-clockwise.
        """
        turned = -angle if self.mirrored else angle
        pixels = size * self.scale * self.unit
        self._put(emoji(glyph, pixels, turned, mirrored=self.mirrored), x, y)

    def disc(
        self, x: float, y: float, size: tuple[float, float], colour: Colour, edge: Colour
    ) -> None:
        """Draw an ellipse.

        Args:
            x: Of its centre, units.
            y: Of its centre, units.
            size: Width and height, units.
            colour: Of the inside.
            edge: Of the outline.
        """
        self._put(disc(self._length(size[0]), self._length(size[1]), colour, edge), x, y)

    def slab(
        self, x: float, y: float, size: tuple[float, float], colour: Colour, edge: Colour
    ) -> None:
        """Draw a rectangle with round corners.

        Args:
            x: Of its centre, units.
            y: Of its centre, units.
            size: Width and height, units.
            colour: Of the inside.
            edge: Of the outline.
        """
        self._put(slab(self._length(size[0]), self._length(size[1]), colour, edge), x, y)

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        width: float,
        colour: Colour,
    ) -> None:
        """Draw a straight line.

        Args:
            start: x and y, units.
            end: x and y, units.
            width: Units.
            colour: Its colour.
        """
        points = [self._pixel(*start), self._pixel(*end)]
        self._draw.line(points, fill=colour, width=self._length(width))

    def _put(self, sprite: Image.Image, x: float, y: float) -> None:
        centre_x, centre_y = self._pixel(x, y)
        corner = (round(centre_x - sprite.width / 2), round(centre_y - sprite.height / 2))
        self.frame.paste(sprite, corner, sprite)

    def _pixel(self, x: float, y: float) -> tuple[float, float]:
        side = -1 if self.mirrored else 1
        return (
            (self.x + side * x * self.scale) * self.unit,
            (self.y + y * self.scale) * self.unit,
        )

    def _length(self, units: float) -> int:
        return max(1, round(units * self.scale * self.unit))
