"""When a file cannot be written or read: a clear error, and no loss."""

import contextlib
import errno
import json
import os
import signal
import tempfile
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_multires import checkpoints
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel
from keras_multires.models import MultiresNet
from testing.faults import full_disk
from testing.programs import start_program

INPUTS = np.random.default_rng(0).normal(size=(2, 20, 3)).astype("float32")
# Functions that write a model, by the name of the file.
WRITERS = {
    "model.keras": lambda model, path: model.save(path),
    "model.weights.h5": lambda model, path: model.save_weights(path),
    "model.pth": checkpoints.save_pytorch_checkpoint,
}


def classifier(hidden_dim=16, **options):
    backbone = MultiresNet(
        hidden_dim, num_layers=2, length=20, input_channels=3, **options
    )
    return MultiresClassifier(backbone, num_classes=2)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return classifier()


def outputs(model):
    return keras.ops.convert_to_numpy(model(INPUTS))


def read(path, model=None):
    """A model with the weights of a file of any of the formats."""
    if path.suffix == ".keras" and model is None:
        return keras.models.load_model(path)
    model = model or classifier()
    if path.suffix == ".pth":
        checkpoints.load_pytorch_checkpoint(model, path)
    else:
        model.load_weights(path)
    return model


@contextlib.contextmanager
def interrupted():
    """The user interrupts the writing of a file."""

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("h5py.Group.create_dataset", stop)
        patch.setattr("h5py.Group.__setitem__", stop)
        patch.setattr("torch.save", stop)
        yield


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("fault", "error"),
    [(full_disk, OSError), (interrupted, KeyboardInterrupt)],
)
def test_a_file_is_kept_if_writing_its_successor_fails(
    model, name, fault, error, tmp_path
):
    path = tmp_path / name
    WRITERS[name](model, path)
    expected = outputs(model)
    other = classifier()
    assert not np.allclose(outputs(other), expected)
    with fault(), pytest.raises(error):
        WRITERS[name](other, path)
    assert os.listdir(tmp_path) == [name]
    np.testing.assert_array_equal(outputs(read(path)), expected)


@contextlib.contextmanager
def ordinary_user():
    """A user who is bound by permissions, as the superuser is not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("name", WRITERS)
def test_writing_to_a_read_only_folder_names_the_file(model, name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        WRITERS[name](model, path)
        content = path.read_bytes()
        Path(folder).chmod(0o555)
        path.chmod(0o444)
        with ordinary_user(), pytest.raises(OSError, match=name) as error:
            WRITERS[name](model, path)
        assert error.value.errno == errno.EACCES
        assert path.read_bytes() == content
        Path(folder).chmod(0o755)


def test_a_process_killed_while_saving_leaves_a_whole_file(model, tmp_path):
    path = tmp_path / "model.keras"
    model.save(path)
    with start_program("save_repeatedly", path) as process:
        assert process.stdout.readline() == "saving\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
    np.testing.assert_array_equal(outputs(read(path)), outputs(model))
    model.save(path)
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_has_written_is_removed_by_the_next_save(
    model, tmp_path
):
    path = tmp_path / "model.weights.h5"
    path.write_bytes(b"earlier")
    other = tmp_path / "other.weights.h5"
    with start_program("write_half_a_file", path) as process:
        assert process.stdout.readline() == "half\n"
        model.save_weights(other)
        # The process is alive, so what it writes stays.
        assert len(os.listdir(tmp_path)) == 3
        process.send_signal(signal.SIGKILL)
    assert path.read_bytes() == b"earlier"
    model.save_weights(other)
    assert sorted(tmp_path.iterdir()) == [path, other]


@pytest.mark.parametrize("name", WRITERS)
def test_a_saved_file_keeps_its_mode_and_its_links(model, name, tmp_path):
    # As long as file systems allow.
    path = tmp_path / f"{'m' * (250 - len(name))}{name}"
    path.touch(mode=0o600)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).symlink_to(path)
    WRITERS[name](model, folder / name)
    assert os.listdir(folder) == [name]
    assert (folder / name).readlink() == path
    assert path.stat().st_mode & 0o777 == 0o600
    np.testing.assert_array_equal(outputs(read(path)), outputs(model))


@pytest.mark.parametrize("name", WRITERS)
def test_a_truncated_file_is_refused(model, name, tmp_path):
    whole = tmp_path / name
    WRITERS[name](classifier(), whole)
    content = whole.read_bytes()
    cut = tmp_path / f"cut.{name}"
    target = None if cut.suffix == ".keras" else model
    before = outputs(model)
    for share in (0, 0.01, 0.3, 0.6, 0.9, 0.999):
        cut.write_bytes(content[: int(share * len(content))])
        # Keras's own errors for its own formats.
        with pytest.raises((ValueError, OSError)) as error:
            read(cut, target)
        assert str(error.value)
    np.testing.assert_array_equal(outputs(model), before)


def replace_config(path, target, change):
    """A copy of a `.keras` file with another configuration."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config)
            copy.writestr(name, content)


MALICIOUS = {
    "function of a module": {
        "module": "builtins",
        "class_name": "function",
        "config": "exec",
        "registered_name": "function",
    },
    "class of a module": {
        "module": "subprocess",
        "class_name": "Popen",
        "config": {"args": ["touch", "MARK"]},
        "registered_name": None,
    },
    "lambda": {
        "class_name": "__lambda__",
        "config": {"value": "code"},
    },
    "layer of code": {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {
            "function": {
                "class_name": "__lambda__",
                "config": {"code": "4wEAAA==", "defaults": None},
            }
        },
        "registered_name": None,
    },
}


@pytest.mark.parametrize("kind", MALICIOUS)
@pytest.mark.parametrize(
    "argument", ["filter_initializer", "memory_regularizer"]
)
def test_loading_a_malicious_model_file_runs_none_of_its_code(
    model, kind, argument, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.keras"
    model.save(path)
    malicious = tmp_path / "malicious.keras"

    def change(config):
        backbone = config["config"]["backbone"]["config"]
        backbone[argument] = MALICIOUS[kind]

    replace_config(path, malicious, change)
    with pytest.raises((TypeError, ValueError)):
        keras.models.load_model(malicious)
    assert not Path("MARK").exists()


def test_models_load_in_safe_mode(tmp_path):
    for index, model in enumerate(
        [
            classifier(normalization="batch", wavelet="haar"),
            MultiresDensityModel(MultiresNet(4, 1, length=9, input_channels=1)),
        ]
    ):
        path = tmp_path / f"{index}.keras"
        model.save(path)
        with zipfile.ZipFile(path) as file:
            config = file.read("config.json").decode()
        assert "lambda" not in config.lower()
        keras.models.load_model(path, safe_mode=True)


def test_loading_a_file_of_another_architecture_changes_no_weight(tmp_path):
    model = classifier()
    before = outputs(model)
    for name, write in WRITERS.items():
        path = tmp_path / name
        write(classifier(hidden_dim=8), path)
        with pytest.raises(ValueError, match=r"shape|could not be loaded"):
            read(path, model)
        np.testing.assert_array_equal(outputs(model), before)
