import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_multires import visualization

ROWS, COLUMNS, HEIGHT, WIDTH = 2, 3, 4, 5


@pytest.fixture
def ax():
    return Figure().subplots()


def make_images(channels=3):
    shape = (ROWS, COLUMNS, HEIGHT, WIDTH, channels)
    return np.random.default_rng(0).integers(256, size=shape, dtype="uint8")


def drawn(ax):
    """Red, green, blue and opacity of each pixel of the picture."""
    (image,) = ax.images
    return np.asarray(image.get_array())


def labels(axis):
    """The texts along an axis by their positions."""
    texts = [text.get_text() for text in axis.get_ticklabels()]
    return dict(zip(axis.get_ticklocs(), texts, strict=True))


@pytest.mark.parametrize("channels", [1, 3])
def test_every_pixel_has_its_place_and_its_colour(channels, ax):
    images = make_images(channels)
    figure = visualization.plot_images(images, ax=ax)
    assert figure is ax.figure
    picture = drawn(ax)
    seen = np.zeros(picture.shape[:2], "bool")
    for row, column, y, x in np.ndindex(ROWS, COLUMNS, HEIGHT, WIDTH):
        place = (row * (HEIGHT + 1) + y, column * (WIDTH + 1) + x)
        colour = np.broadcast_to(images[row, column, y, x], 3)
        assert picture[place].tolist() == [*colour, 255]
        seen[place] = True
    # Nothing is drawn between images, and they do not have a frame.
    assert not picture[~seen].any()
    assert picture.shape == (2 * HEIGHT + 1, 3 * WIDTH + 2, 4)
    assert not any(spine.get_visible() for spine in ax.spines.values())


def test_masked_pixels_stay_empty(ax):
    images = np.ma.array(make_images(), mask=False)
    images[1, 2, :, 3, 1] = np.ma.masked
    visualization.plot_images(images, ax=ax)
    opacity = drawn(ax)[HEIGHT + 1 :, 2 * (WIDTH + 1) :, 3]
    assert opacity.tolist() == [[255, 255, 255, 0, 255]] * HEIGHT


def test_labels_are_at_the_middle_of_rows_and_columns(ax):
    visualization.plot_images(
        make_images(), ["real", "drawn"], ["a", "", "c"], ax=ax
    )
    assert labels(ax.yaxis) == {1.5: "real", 6.5: "drawn"}
    assert labels(ax.xaxis) == {2: "a", 8: "", 14: "c"}


def test_without_labels_there_are_no_ticks(ax):
    visualization.plot_images(make_images(), ax=ax)
    assert labels(ax.xaxis) == labels(ax.yaxis) == {}


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 3, 4, 5), "uint8"),
        np.zeros((2, 3, 4, 5, 2), "uint8"),
        np.zeros((2, 0, 4, 5, 3), "uint8"),
        np.zeros((2, 3, 4, 5, 3)),
    ],
)
def test_anything_but_an_array_of_images_is_refused(images):
    with pytest.raises(ValueError, match=r"`images` must.*images\.shape="):
        visualization.plot_images(images)


@pytest.mark.parametrize("name", ["row_labels", "column_labels"])
def test_a_wrong_number_of_labels_is_refused(name):
    with pytest.raises(ValueError, match=rf"`{name}` must.*{name}=\['a'\]"):
        visualization.plot_images(make_images(), **{name: ["a"]})
