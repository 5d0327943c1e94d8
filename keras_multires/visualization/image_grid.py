"""Plot of a grid of images."""

import numpy as np

from keras_multires._validation import check_names
from keras_multires._validation import check_numbers
from keras_multires._validation import require
from keras_multires.visualization._axes import axes_or_new

__all__ = ["plot_images"]


def plot_images(images, row_labels=None, column_labels=None, ax=None):
    """Draws images of the same size in rows and columns.

    Args:
        images: uint8 array `(rows, columns, height, width, channels)` of 1
            channel (0 is black) or 3 (red, green and blue). Pixels that a
            `numpy.ma.MaskedArray` masks in any channel stay empty.
        row_labels: List of strings, one for each row.
        column_labels: List of strings, one for each column.
        ax: Axes to draw on. Defaults to those of a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if `images` has another shape or dtype or is empty, or the
            labels do not fit it.
    """
    images = _image_array(images)
    rows, columns, height, width, _ = images.shape
    if row_labels is not None:
        check_names("row_labels", row_labels, rows)
    if column_labels is not None:
        check_names("column_labels", column_labels, columns)
    ax = axes_or_new(ax)
    gap = max(min(height, width) // 8, 1)
    ax.imshow(_joined(images, gap))
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    _label(ax.yaxis, row_labels, height, gap)
    _label(ax.xaxis, column_labels, width, gap)
    return ax.figure


def _image_array(images):
    """The images as a masked array."""
    if not isinstance(images, np.ma.MaskedArray):
        images = check_numbers("images", images)
    are_images = (
        images.ndim == 5
        and images.shape[-1] in (1, 3)
        and images.size
        and images.dtype == "uint8"
    )
    expected = (
        "`images` must be a uint8 array of the shape (rows, columns, height, "
        "width, 1 or 3), with at least one image."
    )
    received = f"images.shape={images.shape}, images.dtype={images.dtype}"
    require(are_images, expected, received)
    return np.ma.asarray(images)


def _joined(images, gap):
    """One image of all images: red, green, blue and opacity."""
    rows, columns, height, width, _ = images.shape
    pitches = np.array([height + gap, width + gap])
    # Pixels that are not drawn keep the opacity 0.
    grid = np.zeros((*(pitches * (rows, columns) - gap), 4), "uint8")
    is_drawn = ~np.ma.getmaskarray(images).any(axis=-1)
    for row, column in np.ndindex(rows, columns):
        top, left = pitches * (row, column)
        cell = grid[top : top + height, left : left + width]
        cell[..., :3] = images.data[row, column]
        cell[..., 3] = 255 * is_drawn[row, column]
    return grid


def _label(axis, labels, size, gap):
    """Puts a label at the middle of each row or column."""
    labels = [] if labels is None else labels
    middles = np.arange(len(labels)) * (size + gap) + (size - 1) / 2
    axis.set_ticks(middles, labels)
