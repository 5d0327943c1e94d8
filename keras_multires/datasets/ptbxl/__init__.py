"""PTB-XL: electrocardiograms of ten seconds, with several labels each.

A record has 12 leads, in the order of `LEADS`, and a set of statements. Each
statement may stand for labels of the six tasks in `TASKS`.
"""

from keras_multires._validation import check_boolean
from keras_multires._validation import check_choice
from keras_multires._validation import check_path
from keras_multires._validation import check_verbose
from keras_multires.datasets._checks import require_content
from keras_multires.datasets.ptbxl import release
from keras_multires.datasets.ptbxl import signals
from keras_multires.datasets.ptbxl import tables
from keras_multires.datasets.ptbxl.release import download
from keras_multires.datasets.ptbxl.signals import LEADS
from keras_multires.datasets.ptbxl.signals import read_record
from keras_multires.datasets.ptbxl.tables import TASKS
from keras_multires.datasets.ptbxl.tables import label_names

__all__ = [
    "LEADS",
    "TASKS",
    "download",
    "label_names",
    "load_data",
    "read_record",
]


def load_data(
    directory,
    task="superdiagnostic",
    sampling_rate=100,
    standardize=True,
    download=False,
    cache_dir=None,
    verbose=1,
):
    """PTB-XL: 12-lead electrocardiograms of ten seconds, with their labels.

    The split is that of the release: folds 1 to 8 are the training set, fold 9
    is the validation set and fold 10 is the test set. A record can have several
    labels. As in the published benchmark, each of its statements counts,
    whatever its likelihood, even if that is 0, for unknown. Records without a
    label of the task are left out. The others keep their order.

    The first call reads the records one by one, which takes minutes for the
    whole release. It keeps their signals on disk for the next call: 1 GB for
    all 21,799 records at 100 Hz, and 5 GB at 500 Hz. All tasks share that file.
    It is made again if the size, the modification time or the place of a
    record's files has changed. The labels are read in every call.

    Args:
        directory: Folder of the release, or of a part of it. The records are
            those that its `ptbxl_database.csv` lists. Nothing is written there.
        task: Which labels the targets hold, one of `TASKS`:

            - `"superdiagnostic"`: the 5 classes of the diagnostic statements.
            - `"subdiagnostic"`: their 23 subclasses.
            - `"diagnostic"`: the 44 diagnostic statements.
            - `"form"`: the 19 statements about the form of the curve.
            - `"rhythm"`: the 12 statements about the rhythm.
            - `"all"`: all 71 statements.
        sampling_rate: 100 or 500, in hertz.
        standardize: Boolean. Whether to subtract the mean of the training set
            and divide by its standard deviation. Each is one number, over all
            leads and steps of the training records with a label of the task.
        download: Boolean. Whether to download the release (1.8 GB) into
            `directory` if it is not there yet. See `download`.
        cache_dir: Folder to keep the signals in. Defaults to `datasets` in
            Keras's own folder, `~/.keras` or `$KERAS_HOME`.
        verbose: 0 or 1. Whether to show a progress bar.

    Returns:
        Three pairs of numpy arrays `(inputs, targets)`: the training set, the
        validation set and the test set.

        - `inputs`: float32 `(n, 1000, 12)` at 100 Hz and `(n, 5000, 12)` at
          500 Hz, the leads in the order of `LEADS`, in units of the training
          set's deviation, or in millivolts with `standardize=False`.
        - `targets`: float32 `(n, number of labels)`, 1 for each label that the
          record has and 0 for the others, in the order of
          `label_names(task, directory)`. They are floating-point numbers
          because binary cross-entropy compares them with probabilities.

        For a part of the release, the validation and test sets may be empty.

    Raises:
        ConnectionError: if the download fails; the same call continues it.
        FileExistsError: if the release should be downloaded to a place where
            there is something else.
        FileNotFoundError: if `directory`, or one of its files, is missing.
        ImportError: if `wfdb`, which reads the records, is not installed.
        ValueError: if an argument, a file of `directory`, the download or the
            file of signals is not valid, or if no training record has a label
            of the task. The message names the file or the record, and says what
            to do.

    Example:

    >>> from keras_multires.datasets import ptbxl
    >>> train, validation, test = ptbxl.load_data("ptb-xl", download=True)
    >>> train[0].shape[1:], train[1].shape[1:]
    ((1000, 12), (5,))

    Source:

    [PTB-XL 1.0.3 of PhysioNet](https://physionet.org/content/ptb-xl/1.0.3/),
    [doi:10.13026/kfzx-aw45](https://doi.org/10.13026/kfzx-aw45)

    Licence:

    [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)

    Reference:

    - P. Wagner et al., "PTB-XL, a large publicly available
      electrocardiography dataset", Scientific Data 7:154, 2020,
      [doi:10.1038/s41597-020-0495-6](
      https://doi.org/10.1038/s41597-020-0495-6)
    - N. Strodthoff et al., "Deep Learning for ECG Analysis: Benchmarks and
      Insights from PTB-XL", IEEE Journal of Biomedical and Health Informatics
      25(5), 2021, [doi:10.1109/JBHI.2020.3022989](
      https://doi.org/10.1109/JBHI.2020.3022989)
    """
    directory = check_path("directory", directory).resolve()
    check_choice("task", task, TASKS)
    rates = tables.SAMPLING_RATES
    sampling_rate = check_choice("sampling_rate", sampling_rate, rates)
    standardize = check_boolean("standardize", standardize)
    download = check_boolean("download", download)
    if cache_dir is not None:
        cache_dir = check_path("cache_dir", cache_dir)
    check_verbose(verbose)
    if download:
        signals.import_wfdb()  # without it, the download would be useless
        release.get_release(
            directory, release.RELEASE_URL, release.ARCHIVE_URL, verbose
        )
    tables.check_release(directory)
    statements = tables.read_statements(directory)
    labels = tables.labels_by_statement(task, statements)
    records = tables.read_database(directory, sampling_rate, statements)
    targets = tables.make_targets(records, labels)
    problem = "no record of the training set (folds 1 to 8) has a label of "
    problem += f"the task {task!r}"
    remedy = "Take another task, or more of the release."
    path = directory / tables.DATABASE
    # Before the signals are read, which may take minutes.
    require_content(targets["train"].any(), path, problem, remedy)
    inputs = signals.load_signals(
        directory, records, sampling_rate, cache_dir, verbose
    )
    for part in tables.PARTS:
        is_labelled = targets[part].any(axis=1)
        inputs[part] = signals.keep_rows(inputs[part], is_labelled)
        targets[part] = targets[part][is_labelled]
    if standardize:
        signals.standardize_parts(inputs)
    return tuple((inputs[part], targets[part]) for part in tables.PARTS)
