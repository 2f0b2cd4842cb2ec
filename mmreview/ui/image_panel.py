"""The image side of the reading area: header, image view, filmstrip; one case at a time.

The page says which case is open and hands over pictures as they arrive. Nothing of the case before
is ever left under the new one's name: the view is emptied at once, and a picture that is handed
over in the same turn of the event loop is in the first paint, so that a prefetched case does not
flicker. Only a picture that takes noticeably long is announced as loading.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from mmreview.domain.cases import ImageRef
from mmreview.domain.errors import Message
from mmreview.translation import tr
from mmreview.ui.filmstrip import HEIGHT, Filmstrip
from mmreview.ui.image_pyramid import PreparedPicture, prepare
from mmreview.ui.image_view import ImageView
from mmreview.ui.panel_header import PanelHeader
from mmreview.ui.placeholder import Placeholder, Sign

if TYPE_CHECKING:
    from mmreview.imaging.windowing import Picture

#: Milliseconds after which a missing picture is announced.
_PATIENCE = 150


class ImagePanel(QWidget):
    """The images of the open case. Positions count from 0."""

    pictureWanted = Signal(int)  # an image was chosen whose picture has not been handed over
    positionChanged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._case = ""
        self._details = ""
        self._images: tuple[ImageRef, ...] = ()
        self._pictures: dict[int, PreparedPicture | Message] = {}
        self._position = 0
        self.header = PanelHeader("image", key="Ctrl+1", parent=self)
        self.view = ImageView(self)
        self.strip = Filmstrip(self.view)
        self.strip.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.view, 1)
        self._waiting = QTimer(self)
        self._waiting.setSingleShot(True)
        self._waiting.setInterval(_PATIENCE)
        self._waiting.timeout.connect(self._on_waited)
        self.strip.positionChosen.connect(self.show_image)
        self.view.nextImageAsked.connect(self.show_next_image)
        self.view.previousImageAsked.connect(self.show_previous_image)
        self.view.installEventFilter(self)
        self.setFocusProxy(self.view)

    # --- the case ---------------------------------------------------------------------------------

    def show_case(self, case_id: str, images: Sequence[ImageRef], *, details: str = "") -> None:
        """Open a case at its first image, empty until ``set_picture``. ``details`` stands behind
        the case's id (its date, say)."""
        self._case = case_id
        self._details = details
        self._images = tuple(images)
        self._pictures.clear()
        self._position = 0
        several = len(self._images) > 1
        self.strip.show_images([self._described(place) for place in range(len(self._images))])
        self.strip.setVisible(several)
        self.view.set_bottom_margin(HEIGHT if several else 0)
        self._show_position()

    def clear(self) -> None:
        """No case is open."""
        self.show_case("", ())
        self.view.show_placeholder(None)

    def set_picture(self, position: int, picture: PreparedPicture | Picture | Message) -> None:
        """Hand over one picture of the open case, or why there is none. A ``Picture`` that was not
        prepared off the UI thread is prepared here."""
        if not 0 <= position < len(self._images):
            return
        if not isinstance(picture, PreparedPicture | Message):
            picture = prepare(picture)
        self._pictures[position] = picture
        if isinstance(picture, PreparedPicture):
            self.strip.set_thumbnail(position, picture.thumbnail)
        if position == self._position:
            self._show_position()

    def show_image(self, position: int) -> None:
        """Bring the image at ``position`` into the view."""
        if position == self._position or not 0 <= position < len(self._images):
            return
        self._position = position
        self.strip.set_position(position)
        self._show_position()
        self.positionChanged.emit(position)
        if position not in self._pictures:
            self.pictureWanted.emit(position)

    def show_next_image(self) -> None:
        """The image after the current one, if there is one."""
        self.show_image(self._position + 1)

    def show_previous_image(self) -> None:
        """The image before the current one, if there is one."""
        self.show_image(self._position - 1)

    @property
    def position(self) -> int:
        """The image in the view."""
        return self._position

    @property
    def is_settled(self) -> bool:
        """True once the view shows what it is going to show: a picture, or why there is none."""
        return not self._images or self._position in self._pictures

    # --- verbs of the view ------------------------------------------------------------------------

    def zoom_in(self) -> None:
        """Closer by one step."""
        self.view.zoom_in()

    def zoom_out(self) -> None:
        """Farther by one step."""
        self.view.zoom_out()

    def fit(self) -> None:
        """The whole image."""
        self.view.fit()

    def actual_size(self) -> None:
        """One image pixel on one screen pixel, or back to the whole image."""
        self.view.actual_size()

    def invert(self) -> None:
        """Exchange black and white."""
        self.view.invert()

    def reset(self) -> None:
        """The whole image in its default window."""
        self.view.reset()

    def toggle_overlay(self) -> None:
        """Hide the words in the corners, or show them again."""
        self.view.toggle_overlay()

    # --- inside -----------------------------------------------------------------------------------

    def _show_position(self) -> None:
        """Bring view, captions and header to the current position."""
        self._waiting.stop()
        picture = self._pictures.get(self._position)
        if not self._images:
            self.view.show_placeholder(_no_image() if self._case else None)
        elif isinstance(picture, PreparedPicture):
            self.view.show_picture(picture)
        elif isinstance(picture, Message):
            self.view.show_placeholder(_unreadable(picture))
        else:
            self.view.show_placeholder(None)
            self._waiting.start()
        count = len(self._images)
        of_several = (
            tr("ui.reading.position", position=self._position + 1, count=count)
            if count > 1
            else ""
        )
        self.header.set_caption(of_several)
        if self.view.placeholder is None:
            self.view.set_captions(self._captions())

    def _captions(self) -> tuple[str, ...]:
        if not self._images:
            return ()
        name = " · ".join(part for part in (self._case, self._details) if part)
        image = self._images[self._position]
        picture = self._pictures.get(self._position)
        size = (image.width, image.height)
        if isinstance(picture, PreparedPicture):
            size = (picture.width, picture.height)
        words = [image.view, f"{size[0]} × {size[1]}"]
        if isinstance(picture, PreparedPicture) and picture.bits > 8:
            words.append(tr("ui.reading.bits", bits=picture.bits))
        return name, " · ".join(word for word in words if word)

    def _described(self, position: int) -> str:
        image = self._images[position]
        size = f"{image.width} × {image.height}"
        where = tr("ui.reading.position", position=position + 1, count=len(self._images))
        return " · ".join(part for part in (where, image.view, size) if part)

    def _on_waited(self) -> None:
        self.view.show_placeholder(Placeholder(Sign.NONE, tr("ui.reading.loading")))
        self.view.set_captions(self._captions())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the filmstrip on the view's lower edge."""
        if watched is self.view and event.type() == QEvent.Type.Resize:
            self.strip.setGeometry(0, self.view.height() - HEIGHT, self.view.width(), HEIGHT)
        return super().eventFilter(watched, event)


def _no_image() -> Placeholder:
    return Placeholder(
        Sign.NO_IMAGE, tr("ui.reading.no_image"), tr("ui.reading.no_image_meaning")
    )


def _unreadable(problem: Message) -> Placeholder:
    return Placeholder(
        Sign.UNREADABLE, tr("ui.reading.unreadable"), tr(problem.code, **problem.params)
    )
