"""Pictures within a page: drawn from numbers, or kept by a run; each as text, and all together of limited size."""

import base64
import io

import cv2
import numpy as np
from matplotlib.figure import Figure

from ..tracking import queries
from .markup import Markup, tag

WIDTH = 640  # pixels, to which kept figures are shrunk
BUDGET = 3_000_000  # bytes of kept figures in a page
DPI = 80


class Pictures:
    """Makes pictures, and keeps account of what those that runs keep take."""

    def __init__(self) -> None:
        self._left = BUDGET

    def drawn(self, figure: Figure, told: str) -> Markup:
        """A figure with what it shows as its caption."""
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=DPI, bbox_inches="tight")
        return _shown(file.getvalue(), told)

    def kept(self, run_id: str, name: str, told: str) -> Markup:
        """A figure that a run keeps, shrunk; a line instead where it is not there or the page would grow too large."""
        raw = queries.figure(run_id, name)
        small = None if raw is None else _shrunk(raw)
        if small is None:
            return Markup()
        if len(small) > self._left:
            return tag("p", f"{told}: not here, as the page would grow too large; its run has it", class_="quiet")
        self._left -= len(small)
        return _shown(small, told)


def _shown(png: bytes, told: str) -> Markup:
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return tag("figure", tag("img", src=source, alt=told), tag("figcaption", told))


def _shrunk(raw: bytes) -> bytes | None:
    """An image file as a PNG of at most `WIDTH`; None if it is none."""
    image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    height, width = image.shape[:2]
    if width > WIDTH:
        image = cv2.resize(image, (WIDTH, max(1, round(height * WIDTH / width))), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])
