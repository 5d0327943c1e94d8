"""Handwritten digits of 8 x 8 pixels, as short sequences."""

import numpy as np

from keras_multires._packages import import_package

__all__ = ["load_data"]


def load_data():
    """Handwritten digits, each read row by row as a sequence of 64 pixels.

    These are the 1,797 images of 8 x 8 pixels that come with scikit-learn, so
    nothing is downloaded. The split is fixed. Each part has nearly the same
    number of images of each of the ten classes.

    Returns:
        Three pairs of numpy arrays `(inputs, targets)`: the training set (1,257
        digits), the validation set (180) and the test set (360).

        - `inputs`: uint8 `(n, 64, 1)`, pixels from 0 (paper) to 16 (ink). Each
          pixel counts the inked dots among 16.
        - `targets`: int32 `(n,)`, the digit, 0 to 9.

    Raises:
        ImportError: if scikit-learn is not installed.

    Example:

    >>> train, validation, test = keras_multires.datasets.digits.load_data()
    >>> train[0].shape, train[1].shape
    ((1257, 64, 1), (1257,))

    Source:

    The test set of [Optical Recognition of Handwritten Digits](
    https://archive.ics.uci.edu/dataset/80) of the UCI Machine Learning
    Repository, in the copy of `sklearn.datasets.load_digits`.

    Licence:

    [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/) according to the
    UCI repository. The description in scikit-learn does not name a licence.

    Reference:

    - E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits",
      UCI Machine Learning Repository, 1998,
      [doi:10.24432/C50P49](https://doi.org/10.24432/C50P49)
    """
    package = ("The digits come with scikit-learn", "scikit-learn")
    source = import_package("sklearn.datasets", *package)
    split = import_package("sklearn.model_selection", *package).train_test_split
    pixels, targets = source.load_digits(return_X_y=True)
    inputs = pixels.astype("uint8")[:, :, np.newaxis]
    targets = targets.astype("int32")
    inputs, test_inputs, targets, test_targets = split(
        inputs, targets, test_size=360, random_state=0, stratify=targets
    )
    inputs, validation_inputs, targets, validation_targets = split(
        inputs,
        targets,
        test_size=180,
        random_state=0,
        stratify=targets,
    )
    return (
        (inputs, targets),
        (validation_inputs, validation_targets),
        (test_inputs, test_targets),
    )
