import numpy as np

from keras_multires._validation import check_numbers
from keras_multires.visualization.arguments import axes_or_new
from keras_multires.visualization.arguments import check_axes
from keras_multires.visualization.arguments import check_names


def plot_images(images, row_labels=None, column_labels=None, ax=None):
    """Draws images of the same size in rows and columns.

    Args:
        images: uint8 array `(rows, columns, height, width, channels)` of 1
            channel (0 is black) or 3 (red, green and blue). Pixels that a
            `numpy.ma.MaskedArray` masks in any channel stay empty.
        row_labels: List of strings, one for each row.
        column_labels: List of strings, one for each column.
        ax: Axes to draw on. By default those of a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if `images` has another shape or dtype, or none in it, or
            the labels do not fit it.
    """
    check_axes("ax", ax)
    if not isinstance(images, np.ma.MaskedArray):
        images = check_numbers("images", images)
    images = np.ma.asarray(images)
    if (
        images.ndim != 5
        or images.shape[-1] not in (1, 3)
        or not images.size
        or images.dtype != "uint8"
    ):
        raise ValueError(
            "`images` must be a uint8 array of the shape (rows, columns, "
            "height, width, 1 or 3), with at least one image. Received: "
            f"images.shape={images.shape}, images.dtype={images.dtype}"
        )
    rows, columns, height, width, _ = images.shape
    for name, labels, count in (
        ("row_labels", row_labels, rows),
        ("column_labels", column_labels, columns),
    ):
        if labels is not None:
            check_names(name, labels, count)
    ax = axes_or_new(ax)
    gap = max(min(height, width) // 8, 1)
    pitches = np.array([height + gap, width + gap])
    # Red, green, blue and opacity: what nothing is drawn on is transparent.
    grid = np.zeros((*(pitches * (rows, columns) - gap), 4), "uint8")
    is_drawn = ~np.ma.getmaskarray(images).any(axis=-1)
    for row, column in np.ndindex(rows, columns):
        top, left = pitches * (row, column)
        part = grid[top : top + height, left : left + width]
        part[..., :3] = images.data[row, column]
        part[..., 3] = 255 * is_drawn[row, column]
    ax.imshow(grid)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    middles = (np.array([height, width]) - 1) / 2
    for axis, labels, pitch, middle in zip(
        (ax.yaxis, ax.xaxis),
        (row_labels, column_labels),
        pitches,
        middles,
        strict=True,
    ):
        labels = [] if labels is None else labels
        axis.set_ticks(np.arange(len(labels)) * pitch + middle, labels)
    return ax.figure
