"""The examples from the command line, as a user runs them."""

import csv
import importlib.util
import json
import re
import shutil
import zlib
from pathlib import Path
from types import SimpleNamespace

import click
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.special import expit
from scipy.special import softmax

from benchmarks import plots
from keras_multires.datasets import digits
from keras_multires.models import MultiresCausalLM
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel
from keras_multires.models import MultiresNet
from testing.example_runs import assert_usage_error
from testing.example_runs import import_example
from testing.example_runs import make_options
from testing.example_runs import read_rows
from testing.example_runs import run_example
from testing.paths import EXAMPLES
from testing.paths import ROOT
from testing.paths import TESTDATA
from testing.programs import run_program

BACKENDS = ("jax", "tensorflow", "torch")
SOURCES = {
    "digits": (),
    "listops": (),
    "scifar": ("--data-dir", TESTDATA / "cifar10"),
    "ptbxl": ("--data-dir", TESTDATA / "ptbxl"),
    "density": (),
    "text": (),
}
CIFAR10 = ("--data", "cifar10", *SOURCES["scifar"])
SCORES = {name: "accuracy" for name in SOURCES} | {
    "ptbxl": "auroc",
    "density": "bits_per_dim",
    "text": "bits_per_byte",
}
# The class of the model of each, and whether it generates.
MODELS = {name: MultiresClassifier for name in SOURCES} | {
    "density": MultiresDensityModel,
    "text": MultiresCausalLM,
}
GENERATORS = ("density", "text")
# What is given to `--predict`, and the answer. Where this is a pattern of
# paths, the first one.
PREDICTIONS = {
    "listops": ("[MAX 2 9 [MIN 4 7 ] 0 ]", r"\d \(\d+%\); its value is 9$"),
    "scifar": (TESTDATA / "cifar10/test/cat/*.jpg", r": [a-z]+ \(\d+%\)$"),
    "ptbxl": (
        TESTDATA / "ptbxl/records100/*/*.hea",
        r": ([A-Z]+ \d+%(, |$)){5}",
    ),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs an example in a process; data sets are kept for this module."""
    keras_home = str(tmp_path_factory.mktemp("keras"))

    def run(name, *options, backend=None, **variables):
        return run_example(
            name, *options, backend=backend, KERAS_HOME=keras_home, **variables
        )

    return run


@pytest.fixture
def invoke():
    """Runs an example in this process, which need not import Keras again."""

    def invoke(name, *options):
        result = CliRunner().invoke(
            import_example(name).main, [str(option) for option in options]
        )
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return SimpleNamespace(
            returncode=result.exit_code,
            stdout=result.stdout,
            stderr=result.stderr,
        )

    return invoke


@pytest.fixture(scope="module")
def trained(run, tmp_path_factory):
    """Trains an example at smoke size once: `(output_dir, result)`."""
    runs = {}

    def train(name, backend, source=None):
        source = SOURCES[name] if source is None else source
        key = name, backend, source
        if key not in runs:
            output_dir = tmp_path_factory.mktemp("runs") / "new" / name
            options = ("--preset", "smoke", "--output-dir", output_dir)
            result = run(name, *options, *source, backend=backend)
            assert result.returncode == 0, result.stderr[-3000:]
            runs[key] = (output_dir, result)
        return runs[key]

    return train


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SOURCES)
def test_a_run_leaves_log_metrics_pictures_and_model(trained, name, backend):
    output_dir, result = trained(name, backend)
    metric = SCORES[name]
    metrics = json.loads((output_dir / "metrics.json").read_text())
    assert metrics["backend"] == backend
    assert metrics["versions"][backend]
    assert metrics["machine"]
    assert metrics["preset"] == "smoke"
    assert metrics["parameters"] > 0
    assert metrics["seconds_per_epoch"] > 0
    highest = 8.5 if name in GENERATORS else 1
    assert 0 <= metrics[f"test_{metric}"] <= highest
    assert 0 <= metrics[f"baseline_test_{metric}"] <= highest
    assert str(ROOT) not in json.dumps(metrics)
    rows = read_rows(output_dir)
    assert [row["epoch"] for row in rows] == ["0", "1"]
    if name in GENERATORS:
        column, best = "val_loss", min
    else:
        column, best = f"val_{metric}", max
    values = [float(row[column]) for row in rows]
    assert metrics["best_epoch"] == values.index(best(values)) + 1
    assert list((output_dir / "tensorboard").iterdir())
    pictures = [path.name for path in output_dir.glob("*.png")]
    expected = ["overview.png"]
    if name == "ptbxl":
        expected.append("scalogram.png")
    if name == "density":
        expected.append("samples.png")
    assert sorted(pictures) == expected
    for picture in expected:
        assert (output_dir / picture).stat().st_size < 200_000
    for file in ("model.keras", "log.csv", "metrics.json", *expected):
        assert str(output_dir / file) in result.stdout
    assert not (output_dir / "backup").exists()
    model = keras.models.load_model(output_dir / "model.keras")
    assert isinstance(model, MODELS[name])
    assert model.optimizer is not None  # it can be trained further


@pytest.mark.parametrize("name", SOURCES)
def test_models_are_trained_with_the_optimizer_of_the_presets(trained, name):
    output_dir, _ = trained(name, "jax")
    metrics = json.loads((output_dir / "metrics.json").read_text())
    preset = metrics["preset_settings"]
    model = keras.models.load_model(output_dir / "model.keras")
    optimizer = model.optimizer
    assert optimizer.epsilon == 1e-8
    if name == "density":
        assert type(optimizer) is keras.optimizers.Adam
        assert not optimizer.weight_decay
    else:
        assert type(optimizer) is keras.optimizers.AdamW
        assert optimizer.weight_decay == preset["weight_decay"]
        # Every weight decays, biases included.
        assert all(map(optimizer._use_weight_decay, model.trainable_variables))

    steps_per_epoch = -(-metrics["num_train"] // preset["batch_size"])
    assert int(optimizer.iterations) == metrics["best_epoch"] * steps_per_epoch
    steps = np.arange(preset["epochs"] * steps_per_epoch + 1)
    warmup = preset.get("warmup_epochs", 0) * steps_per_epoch
    falling = (steps - warmup) / (steps[-1] - warmup)
    expected = np.where(
        steps < warmup,
        steps / max(warmup, 1),
        (1 + np.cos(np.pi * falling)) / 2,
    )
    schedule = keras.optimizers.schedules.deserialize(
        optimizer.get_config()["learning_rate"]
    )
    received = [float(schedule(step)) for step in steps]
    np.testing.assert_allclose(
        received, preset["learning_rate"] * expected, atol=1e-6
    )


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("scifar", "scifar"),
        ("listops", "listops"),
        ("ptbxl", "ptbxl_superdiagnostic"),
        ("density", "cifar10_density"),
    ],
)
def test_paper_presets_build_the_models_of_the_library(trained, name, preset):
    options = CIFAR10 if name == "density" else SOURCES[name]
    output_dir, _ = trained(name, "jax", options)
    model = keras.models.load_model(output_dir / "model.keras")
    whole = MODELS[name].presets[preset]
    # The smoke preset of an example is smaller, and the same otherwise.
    expected = MultiresNet.from_preset(
        preset, load_weights=False, hidden_dim=8, num_layers=2
    )
    received = model.backbone
    for key in ("length", "input_channels", "vocabulary_size"):
        assert getattr(received, key) == getattr(expected, key)
    for block, other in zip(received.blocks, expected.blocks, strict=True):
        assert {**block.get_config(), "name": None} == {
            **other.get_config(),
            "name": None,
        }
    if name == "density":
        paper = import_example(name).PRESETS["cifar10"]["paper"]
        assert paper["num_mixtures"] == whole["num_mixtures"]
    else:
        paper = import_example(name).PRESETS["paper"]
        assert model.num_classes == whole["num_classes"]
    for key, value in paper["model"].items():
        assert value == whole["backbone"][key]


@pytest.mark.parametrize(
    ("name", "trained_on", "used_on"),
    [
        ("listops", "jax", "torch"),
        ("scifar", "tensorflow", "jax"),
        ("ptbxl", "torch", "tensorflow"),
    ],
)
def test_a_model_predicts_on_raw_input_on_another_backend(
    run, trained, name, trained_on, used_on
):
    output_dir, _ = trained(name, trained_on)
    value, answer = PREDICTIONS[name]
    if isinstance(value, Path):
        value = next(ROOT.glob(str(value.relative_to(ROOT))))
    model = output_dir / "model.keras"
    result = run(name, "--model", model, "--predict", value, backend=used_on)
    assert result.returncode == 0, result.stderr[-3000:]
    last_line = result.stdout.splitlines()[-1]
    assert last_line.startswith(str(value))
    assert re.search(answer, last_line)


def test_the_model_is_that_of_the_best_epoch_and_takes_raw_pixels(trained):
    output_dir, _ = trained("digits", keras.backend.backend())
    inputs, targets = digits.load_data()[2]
    assert inputs.dtype == "uint8"
    model = keras.models.load_model(output_dir / "model.keras")
    logits = model.predict(inputs, verbose=0)
    accuracy = (logits.argmax(axis=-1) == targets).mean()
    metrics = json.loads((output_dir / "metrics.json").read_text())
    assert round(accuracy, 4) == metrics["test_accuracy"]


def histogram_bits(training, test):
    """By the definition: each pixel's values, each counted once more."""
    bits = []
    for seen, values in zip(training.T, test.T, strict=True):
        for value in values:
            share = ((seen == value).sum() + 1) / (len(seen) + 17)
            bits.append(-np.log2(share))
    return np.mean(bits)


def mixture_bits(model, pixels):
    """By the definition, of bytes `(n, length)` of a single channel."""
    inputs = (pixels / 127.5 - 1).astype("float32")[..., np.newaxis]
    outputs = model.predict(inputs, verbose=0).astype("float64")
    logits, means, log_scales = np.split(outputs, 3, axis=-1)
    upper, lower = (
        expit((inputs + half - means) / np.exp(log_scales))
        for half in (1 / 255, -1 / 255)
    )
    # The lowest value has all that is below it. The highest is never seen.
    lower[inputs[..., 0] == -1] = 0
    shares = (softmax(logits, axis=-1) * (upper - lower)).sum(axis=-1)
    return -np.log2(shares).mean()


def test_density_and_baseline_are_measured_on_the_same_values(trained):
    output_dir, _ = trained("density", "jax")
    metrics = json.loads((output_dir / "metrics.json").read_text())
    (training, _), _, (test, _) = digits.load_data()
    assert metrics["baseline_test_bits_per_dim"] == pytest.approx(
        histogram_bits(training[..., 0], test[..., 0]), abs=1e-3
    )
    model = keras.models.load_model(output_dir / "model.keras")
    assert metrics["test_bits_per_dim"] == pytest.approx(
        mixture_bits(model, test[..., 0]), abs=1e-3
    )
    assert metrics["seconds_of_generation"] > 0


def test_a_density_generates_and_completes_on_another_backend(
    run, trained, tmp_path
):
    output_dir, _ = trained("density", "torch")
    # Of any size: the left and right of it are cut off.
    Image.new("RGB", (90, 60), "white").save(tmp_path / "white.png")

    def black_share(*options):
        result = run(
            *("density", "--generate", 5, *options),
            *("--model", output_dir / "model.keras"),
            *("--output-dir", tmp_path / "new"),
            backend="jax",
        )
        assert result.returncode == 0, result.stderr[-3000:]
        path = tmp_path / "new" / "generated.png"
        assert str(path) in result.stdout
        with Image.open(path) as image:
            return (np.asarray(image.convert("L")) == 0).mean()

    # Where the upper halves are white.
    completed = black_share("--complete", tmp_path / "white.png")
    assert 0 < completed < 0.75 * black_share()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("density", ("--complete", "none.png"), ("--complete", "none.png")),
        ("digits", (), ("--model", "MultiresDensityModel")),
    ],
)
def test_a_density_refuses_files_that_it_cannot_generate_from(
    invoke, trained, name, options, words
):
    output_dir, _ = trained(name, "torch")
    options = ("--model", output_dir / "model.keras", *options)
    result = invoke("density", *options, "--generate", 1)
    assert_usage_error(result, *words)


def test_an_image_of_more_than_8_bits_is_refused(tmp_path):
    images = import_example("experiment.images")
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((8, 8), 10_000, "uint16")).save(path)
    with pytest.raises(ValueError, match="8 bits a value"):
        images.read_image(path, 8, 1)


def test_an_image_that_fills_the_memory_is_refused(tmp_path):
    images = import_example("experiment.images")
    path = tmp_path / "bomb.png"
    for side in (10_000, 20_000):
        Image.new("1", (4, 4)).save(path)
        content = bytearray(path.read_bytes())
        content[16:24] = side.to_bytes(4, "big") * 2
        content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
        path.write_bytes(content)
        with pytest.raises(ValueError, match="could be decompression bomb"):
            images.read_image(path, 8, 1)


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, "1" * 9000, "{", "\0", "3"],
    ids=["deep", "digits", "cut", "null", "number"],
)
def test_damaged_json_is_an_error_that_names_the_file(content, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(content)
    run = import_example("experiment.run")
    ecg = import_example("experiment.ecg")
    for read, kind in (
        (lambda: run.Run("test", make_options(tmp_path)), click.UsageError),
        (lambda: ecg._read_labels(path), click.UsageError),
        (lambda: plots.read_results(path), ValueError),
    ):
        with pytest.raises(kind, match=re.escape(str(path))):
            read()


def test_the_density_of_cifar_10_is_learned(trained):
    output_dir, _ = trained("density", "jax", CIFAR10)
    metrics = json.loads((output_dir / "metrics.json").read_text())
    assert metrics["data"] == "CIFAR-10, JPEG"
    # One of the 30 training images is held out from each class.
    assert (metrics["num_train"], metrics["num_validation"]) == (20, 10)
    first, second = (float(row["val_loss"]) for row in read_rows(output_dir))
    assert second < first
    assert (output_dir / "samples.png").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--preset", "paper"), ("--preset", "'digits'", "'small', 'smoke'")),
        (("--data-dir", "."), ("--data-dir", "--data cifar10")),
        (("--generate", 4), ("--model", "--generate")),
        (("--complete", "a.png"), ("--complete", "--generate")),
    ],
)
def test_options_of_the_density_that_do_not_fit_are_usage_errors(
    invoke, options, words
):
    assert_usage_error(invoke("density", *options), *words)


@pytest.fixture
def sources():
    """What the example of text does with sources of Python."""
    return import_example("experiment.python_sources")


def test_the_sources_are_split_by_file_and_cut_without_loss(sources):
    training, validation, test = sources.read_sources()
    assert len(training) > 10 * len(validation) > 0
    assert len(training) > 10 * len(test) > 0
    # Some of the small files are equal.
    large = [
        {file for file in part if len(file) > 500} for part in (training, test)
    ]
    assert large[1]
    assert large[0].isdisjoint(large[1])
    assert any(b"class OrderedDict" in file for file in training + test)
    for part, some in zip(
        (training, test), sources.read_sources(9000)[::2], strict=True
    ):
        assert 0 < sum(map(len, some)) <= 9000
        assert set(some) < set(part)  # whole files, which have an end
    inputs, targets = sources.to_sequences([b"ab", b"", b"c\xff"], length=2)
    end = sources.END_OF_FILE
    tokens = [end, 98, 99, end, end, 100, 256, end]
    np.testing.assert_array_equal(inputs.ravel(), tokens[:6])
    np.testing.assert_array_equal(targets.ravel(), tokens[1:7])


def test_the_baseline_of_text_looks_two_bytes_back(sources):
    training, test = b"abracadabra, abracadabra", b"a cadabra! bra"
    bits = []
    for position in range(len(test)):
        share = 1 / 256
        for order in range(3):
            before = (bytes(order) + test)[position : position + order]
            padded = bytes(order) + training
            followers = [
                padded[place + order]
                for place in range(len(training))
                if padded[place : place + order] == before
            ]
            if followers:
                different = len(set(followers))
                count = followers.count(test[position])
                share = count + different * share
                share /= len(followers) + different
        bits.append(-np.log2(share))
    received = sources.bits_by_two_bytes(training, test)
    assert received == pytest.approx(np.mean(bits))


def test_bits_per_byte_are_those_of_the_saved_model(trained, sources):
    output_dir, _ = trained("text", "jax")
    metrics = json.loads((output_dir / "metrics.json").read_text())
    model = keras.models.load_model(output_dir / "model.keras")
    preset = import_example("text").SMOKE
    _, _, test = sources.read_sources(preset["num_bytes"])
    inputs, targets = sources.to_sequences(test, preset["length"])
    shares = softmax(model.predict(inputs, verbose=0), axis=-1)
    shares = np.take_along_axis(shares, targets[..., None].astype(int), -1)
    bits = -np.log2(shares).sum() / (targets != sources.END_OF_FILE).sum()
    assert metrics["test_bits_per_byte"] == pytest.approx(bits, abs=1e-3)
    assert 0 < metrics["lzma_test_bits_per_byte"] < 8
    samples = (output_dir / "samples.txt").read_text(encoding="utf-8")
    for prompt in import_example("text").PROMPTS:
        assert prompt in samples


def test_text_continues_a_prompt_on_another_backend(run, trained):
    output_dir, _ = trained("text", "torch")
    options = ("--model", output_dir / "model.keras", "--seed", 1)
    result = run(
        *("text", *options, "--generate", 2, "--prompt", "def né("),
        backend="jax",
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.count("def né(") == 2


def run_without(package, name, *options, backend=None):
    return run_program(
        *("run_without", package, EXAMPLES / f"{name}.py", *options),
        backend=backend,
        check=False,
    )


def test_text_without_keras_nlp_says_what_to_install():
    result = run_without("keras_nlp", "text")
    assert_usage_error(result, "pip install keras-nlp")


def test_a_finished_run_is_neither_lost_nor_run_again(invoke, trained):
    output_dir, _ = trained("digits", keras.backend.backend())
    before = (output_dir / "metrics.json").read_text()
    command = ("digits", "--preset", "smoke", "--output-dir", output_dir)
    assert_usage_error(invoke(*command), "finished", "--no-resume")
    assert_usage_error(
        invoke(*command, "--seed", 1), "seed was 0 and is 1", "--no-resume"
    )
    assert (output_dir / "metrics.json").read_text() == before


@pytest.mark.parametrize("option", ["--resume", "--no-resume"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("backup/thesis.txt", "years of work"),
        ("model.keras", "another model"),
        ("settings.json", '{"theme": "dark"}'),
        ("settings.json", "{"),
    ],
)
def test_files_that_come_from_no_run_are_kept(
    invoke, tmp_path, name, content, option
):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    options = ("--preset", "smoke", option, "--output-dir", tmp_path)
    result = invoke("digits", *options)
    assert_usage_error(result, name.split("/")[0], "--output-dir")
    assert file.read_text() == content


def test_half_precision_trains_and_is_tested(run, tmp_path):
    result = run(
        *("ptbxl", "--preset", "smoke", *SOURCES["ptbxl"]),
        *("--dtype-policy", "bfloat16", "--output-dir", tmp_path),
        backend="torch",
    )
    assert result.returncode == 0, result.stderr[-3000:]
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["dtype_policy"] == "bfloat16"


@pytest.mark.parametrize(
    ("fold", "part"), [("9", "validation"), ("10", "test")]
)
def test_an_empty_fold_is_a_usage_error_before_the_training(
    invoke, tmp_path, fold, part
):
    data_dir = shutil.copytree(TESTDATA / "ptbxl", tmp_path / "ptbxl")
    database = data_dir / "ptbxl_database.csv"
    with open(database, newline="") as file:
        reader = csv.DictReader(file)
        rows = [row for row in reader if row["strat_fold"] != fold]
    with open(database, "w", newline="") as file:
        writer = csv.DictWriter(file, reader.fieldnames)
        writer.writeheader()
        writer.writerows(rows)
    result = invoke(
        *("ptbxl", "--preset", "smoke", "--data-dir", data_dir),
        *("--output-dir", tmp_path / "runs"),
    )
    assert_usage_error(result, f"{part} set")


def test_no_resume_starts_over(run, trained, tmp_path):
    output_dir, _ = trained("digits", "torch")
    copy = shutil.copytree(output_dir, tmp_path / "copy")
    result = run(
        *("digits", "--preset", "smoke", "--epochs", 1),
        *("--output-dir", copy, "--no-resume"),
        backend="torch",
    )
    assert result.returncode == 0, result.stderr[-3000:]
    (row,) = read_rows(copy)
    assert row["epoch"] == "0"
    assert json.loads((copy / "metrics.json").read_text())["best_epoch"] == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_that_is_not_installed_is_a_usage_error(backend, tmp_path):
    result = run_without(
        *(backend, "digits", "--output-dir", tmp_path), backend=backend
    )
    assert_usage_error(result, "KERAS_BACKEND", f"pip install {backend}")


def test_an_unknown_backend_is_a_usage_error(run, tmp_path):
    result = run("digits", "--output-dir", tmp_path, backend="theano")
    assert_usage_error(result, "theano", "'jax', 'tensorflow', 'torch'")


def test_a_script_without_a_chosen_backend_says_which_it_takes(run):
    result = run("digits", "--help", backend="")
    assert result.returncode == 0, result.stderr[-3000:]
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    assert result.stdout.startswith(f"Backend: {installed[0]}.")


def test_an_output_folder_that_cannot_be_made_is_a_usage_error(
    invoke, tmp_path
):
    file = tmp_path / "file"
    file.touch()
    result = invoke("digits", "--output-dir", file / "folder")
    assert_usage_error(result, "--output-dir", "cannot write")


@pytest.mark.parametrize("name", ["listops", "scifar", "ptbxl"])
def test_a_wrong_data_folder_is_a_usage_error_that_names_it(
    invoke, name, tmp_path
):
    result = invoke(
        *(name, "--preset", "smoke", "--data-dir", tmp_path),
        *("--output-dir", tmp_path / "runs"),
    )
    assert_usage_error(result, "--data-dir", str(tmp_path))
    # The same command with the right folder is no other run.
    assert not list((tmp_path / "runs").glob("[!.]*"))


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("listops", "[MAX 2 9", "`[MAX` has no `]`"),
        ("scifar", "none.png", "none.png"),
        ("ptbxl", "none", "none"),
    ],
)
def test_a_wrong_input_is_a_usage_error_that_names_it(
    invoke, trained, name, value, problem
):
    output_dir, _ = trained(name, "torch")
    options = ("--model", output_dir / "model.keras", "--predict", value)
    assert_usage_error(invoke(name, *options), "--predict", problem)


def test_a_model_of_another_example_is_a_usage_error(invoke, trained, tmp_path):
    file = tmp_path / "model.keras"
    file.write_bytes(b"PK")
    command = ("listops", "--predict", "[MAX 1 2 ]", "--model")
    result = invoke(*command, file)
    assert_usage_error(result, "--model", str(file))
    output_dir, _ = trained("digits", "torch")
    result = invoke(*command, output_dir / "model.keras")
    assert_usage_error(result, "--model", "(64, 1)", "(2048,)")


def test_model_and_predict_belong_together(invoke):
    result = invoke("listops", "--predict", "[MAX 1 2 ]")
    assert_usage_error(result, "--model", "--predict")


def test_ptbxl_needs_a_data_folder_to_train(invoke):
    assert_usage_error(invoke("ptbxl"), "--data-dir")


@pytest.mark.parametrize("name", SOURCES)
def test_help_names_every_option(invoke, name):
    result = invoke(name, "--help")
    assert result.returncode == 0
    options = (
        *("preset", "output-dir", "epochs", "batch-size", "seed"),
        *("dtype-policy", "jit-compile", "devices", "resume"),
    )
    if name == "density":
        options = (*options, "data", "data-dir", "model", "generate")
    elif name == "text":
        options = (*options, "model", "generate", "prompt", "temperature")
    elif name != "digits":
        options = (*options, "data-dir", "model", "predict")
    for option in options:
        assert f"--{option}" in result.stdout
