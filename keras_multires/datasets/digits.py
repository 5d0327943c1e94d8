import numpy as np


def load_data():
    """Handwritten digits, each read row by row as a sequence of 64 pixels.

    The 1,797 images of 8 x 8 pixels that scikit-learn ships, so nothing is
    downloaded. The split is fixed, and each part holds the ten classes in
    nearly equal numbers.

    Returns:
        Three pairs of numpy arrays `(inputs, targets)`: the training set (1,257
        digits), the validation set (180) and the test set (360).

        - `inputs`: uint8 `(n, 64, 1)`, the pixels from 0 (paper) to 16 (ink):
          how many of the 16 dots that make up a pixel are inked.
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

    [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/), as the UCI
    repository states it. scikit-learn's description of its copy names none.

    Reference:

    - E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits",
      UCI Machine Learning Repository, 1998,
      [doi:10.24432/C50P49](https://doi.org/10.24432/C50P49)
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError(
            "The digits come with scikit-learn, which is not installed. "
            "Install it: pip install scikit-learn"
        ) from error
    pixels, targets = load_digits(return_X_y=True)
    inputs = pixels.astype("uint8")[:, :, np.newaxis]
    targets = targets.astype("int32")
    test_size, validation_size = 360, 180
    inputs, test_inputs, targets, test_targets = train_test_split(
        inputs, targets, test_size=test_size, random_state=0, stratify=targets
    )
    inputs, validation_inputs, targets, validation_targets = train_test_split(
        inputs,
        targets,
        test_size=validation_size,
        random_state=0,
        stratify=targets,
    )
    return (
        (inputs, targets),
        (validation_inputs, validation_targets),
        (test_inputs, test_targets),
    )
