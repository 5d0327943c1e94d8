"""The examples from the command line, as a user runs them."""

import csv
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.special import expit
from scipy.special import softmax

from keras_multires.datasets import digits
from keras_multires.models import MultiresCausalLM
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresDensityModel

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
TESTDATA = ROOT / "keras_multires" / "datasets" / "testdata"
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
# A model that generates, and no classifier.
GENERATORS = {"density": MultiresDensityModel, "text": MultiresCausalLM}
# The last epoch's file of each: what is given to `--predict`, and the answer.
PREDICTIONS = {
    "listops": ("[MAX 2 9 [MIN 4 7 ] 0 ]", r"\d \(\d+%\); its value is 9$"),
    "scifar": (TESTDATA / "cifar10/test/cat/*.jpg", r": [a-z]+ \(\d+%\)$"),
    "ptbxl": (
        TESTDATA / "ptbxl/records100/*/*.hea",
        r": ([A-Z]+ \d+%(, |$)){5}",
    ),
}

# Runs a script where Python finds no package of the given name.
RUN_WITHOUT = """
import runpy
import sys

missing, script = sys.argv[1:3]
sys.modules[missing] = None
sys.argv = sys.argv[2:]
runpy.run_path(script, run_name="__main__")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs Python with arguments; data sets are kept for this module."""
    keras_home = tmp_path_factory.mktemp("keras")

    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            # The process finds the packages that this one finds.
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([*sys.path, str(EXAMPLES)]),
                "KERAS_HOME": str(keras_home),
                **environment,
            },
            capture_output=True,
            text=True,
        )

    return run


def script(name):
    return EXAMPLES / f"{name}.py"


def read_log(output_dir):
    with open(output_dir / "log.csv", newline="") as file:
        return list(csv.DictReader(file))


def assert_usage_error(result, *words):
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr
    assert "Epoch" not in result.stdout


@pytest.fixture(scope="module")
def trained(run, tmp_path_factory):
    """Trains an example at smoke size once: `(output_dir, result)`."""
    runs = {}

    def train(name, backend):
        if (name, backend) not in runs:
            output_dir = tmp_path_factory.mktemp("runs") / "new" / name
            options = ("--preset", "smoke", "--output-dir", output_dir)
            result = run(
                script(name), "--backend", backend, *options, *SOURCES[name]
            )
            assert result.returncode == 0, result.stderr[-3000:]
            runs[name, backend] = (output_dir, result)
        return runs[name, backend]

    return train


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SOURCES)
def test_a_run_leaves_log_metrics_pictures_and_model(trained, name, backend):
    output_dir, result = trained(name, backend)
    metric = SCORES[name]
    metrics = json.loads((output_dir / "metrics.json").read_text())
    assert metrics["backend"] == backend
    assert metrics["versions"][backend]
    assert metrics["preset"] == "smoke"
    assert metrics["parameters"] > 0
    assert metrics["seconds_per_epoch"] > 0
    highest = 8.5 if name in GENERATORS else 1
    assert 0 <= metrics[f"test_{metric}"] <= highest
    assert 0 <= metrics[f"baseline_test_{metric}"] <= highest
    assert str(ROOT) not in json.dumps(metrics)
    rows = read_log(output_dir)
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
    if name in GENERATORS:
        assert isinstance(model, GENERATORS[name])
    else:
        assert isinstance(model.get_layer("classifier"), MultiresClassifier)
    assert model.optimizer is not None  # it can be trained further


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
    options = ("--backend", used_on, "--model", model, "--predict", value)
    result = run(script(name), *options)
    assert result.returncode == 0, result.stderr[-3000:]
    last_line = result.stdout.splitlines()[-1]
    assert last_line.startswith(str(value))
    assert re.search(answer, last_line)


def test_the_model_is_that_of_the_best_epoch_and_takes_raw_pixels(run, trained):
    output_dir, _ = trained("digits", "torch")
    code = """
import sys
import keras
import keras_multires

inputs, targets = keras_multires.datasets.digits.load_data()[2]
assert inputs.dtype == "uint8"
logits = keras.models.load_model(sys.argv[1]).predict(inputs, verbose=0)
print((logits.argmax(axis=-1) == targets).mean())
"""
    result = run("-c", code, output_dir / "model.keras", KERAS_BACKEND="torch")
    assert result.returncode == 0, result.stderr[-3000:]
    metrics = json.loads((output_dir / "metrics.json").read_text())
    accuracy = float(result.stdout.split()[-1])
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
            *(script("density"), "--backend", "jax", "--generate", 5),
            *("--model", output_dir / "model.keras", *options),
            *("--output-dir", tmp_path / "new"),
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
def test_what_a_density_cannot_generate_from_is_a_usage_error(
    run, trained, name, options, words
):
    output_dir, _ = trained(name, "torch")
    model = output_dir / "model.keras"
    options = ("--backend", "torch", "--model", model, *options)
    result = run(script("density"), *options, "--generate", 1)
    assert_usage_error(result, *words)


def test_an_image_of_more_than_8_bits_is_refused(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    density = importlib.import_module("density")
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((8, 8), 10_000, "uint16")).save(path)
    with pytest.raises(ValueError, match="8 bits a value"):
        density.read_image(path, 8, 1)


def test_the_density_of_cifar_10_is_learned(run, tmp_path):
    options = ("--backend", "jax", "--preset", "smoke", *CIFAR10)
    result = run(script("density"), *options, "--output-dir", tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["data"] == "CIFAR-10, JPEG"
    # Of the 30 training images, one of each class is held out.
    assert (metrics["num_train"], metrics["num_validation"]) == (20, 10)
    first, second = (float(row["val_loss"]) for row in read_log(tmp_path))
    assert second < first
    assert (tmp_path / "samples.png").exists()


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
    run, options, words
):
    assert_usage_error(run(script("density"), *options), *words)


@pytest.fixture
def text(monkeypatch):
    """The module of the example, from its folder."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("text")


def test_the_sources_are_split_by_file_and_cut_without_loss(text):
    training, validation, test = text.read_sources()
    assert len(training) > 10 * len(validation) > 0
    assert len(training) > 10 * len(test) > 0
    # Of the small ones, some are the same.
    large = [
        {file for file in part if len(file) > 500} for part in (training, test)
    ]
    assert large[1]
    assert large[0].isdisjoint(large[1])
    assert any(b"class OrderedDict" in file for file in training + test)
    for part, some in zip(
        (training, test), text.read_sources(9000)[::2], strict=True
    ):
        assert 0 < sum(map(len, some)) <= 9000
        assert set(some) < set(part)  # whole files, which have an end
    inputs, targets = text.to_sequences([b"ab", b"", b"c\xff"], length=2)
    end = text.END_OF_FILE
    tokens = [end, 98, 99, end, end, 100, 256, end]
    np.testing.assert_array_equal(inputs.ravel(), tokens[:6])
    np.testing.assert_array_equal(targets.ravel(), tokens[1:7])


def test_two_bytes_are_looked_back_by_the_definition(text):
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
    received = text.bits_by_two_bytes(training, test)
    assert received == pytest.approx(np.mean(bits))


def test_bits_per_byte_are_those_of_the_saved_model(trained, text):
    output_dir, _ = trained("text", "jax")
    metrics = json.loads((output_dir / "metrics.json").read_text())
    model = keras.models.load_model(output_dir / "model.keras")
    sizes = text.PRESETS["smoke"].data
    _, _, test = text.read_sources(sizes["num_bytes"])
    inputs, targets = text.to_sequences(test, sizes["length"])
    shares = softmax(model.predict(inputs, verbose=0), axis=-1)
    shares = np.take_along_axis(shares, targets[..., None].astype(int), -1)
    bits = -np.log2(shares).sum() / (targets != text.END_OF_FILE).sum()
    assert metrics["test_bits_per_byte"] == pytest.approx(bits, abs=1e-3)
    assert 0 < metrics["lzma_test_bits_per_byte"] < 8
    samples = (output_dir / "samples.txt").read_text(encoding="utf-8")
    for prompt in text.PROMPTS:
        assert prompt in samples


def test_text_goes_on_from_a_prompt_on_another_backend(run, trained):
    output_dir, _ = trained("text", "torch")
    model = output_dir / "model.keras"
    options = ("--backend", "jax", "--model", model, "--seed", 1)
    result = run(
        script("text"), *options, "--generate", 2, "--prompt", "def né("
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.count("def né(") == 2


def test_text_without_keras_nlp_says_what_to_install(run, tmp_path):
    result = run("-c", RUN_WITHOUT, "keras_nlp", script("text"))
    assert_usage_error(result, "pip install keras-nlp")


def test_a_finished_run_is_neither_lost_nor_run_again(run, trained):
    output_dir, _ = trained("digits", "torch")
    before = (output_dir / "metrics.json").read_text()
    options = ("--backend", "torch", "--preset", "smoke")
    command = (script("digits"), *options, "--output-dir", output_dir)
    assert_usage_error(run(*command), "finished", "--no-resume")
    assert_usage_error(
        run(*command, "--seed", 1), "seed was 0 and is 1", "--no-resume"
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
def test_what_is_not_of_a_run_is_not_touched(
    run, tmp_path, name, content, option
):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    options = ("--backend", "torch", "--preset", "smoke", option)
    result = run(script("digits"), *options, "--output-dir", tmp_path)
    assert_usage_error(result, name.split("/")[0], "--output-dir")
    assert file.read_text() == content


def test_half_precision_trains_and_is_tested(run, tmp_path):
    options = ("--backend", "torch", "--preset", "smoke")
    result = run(
        *(script("ptbxl"), *options, *SOURCES["ptbxl"]),
        *("--dtype-policy", "bfloat16", "--output-dir", tmp_path),
    )
    assert result.returncode == 0, result.stderr[-3000:]
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["dtype_policy"] == "bfloat16"


@pytest.mark.parametrize(
    ("fold", "part"), [("9", "validation"), ("10", "test")]
)
def test_an_empty_fold_is_a_usage_error_before_the_training(
    run, tmp_path, fold, part
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
    options = ("--backend", "torch", "--preset", "smoke")
    result = run(
        *(script("ptbxl"), *options, "--data-dir", data_dir),
        *("--output-dir", tmp_path / "runs"),
    )
    assert_usage_error(result, f"{part} set")


def test_no_resume_starts_over(run, trained, tmp_path):
    output_dir, _ = trained("digits", "torch")
    copy = shutil.copytree(output_dir, tmp_path / "copy")
    options = ("--backend", "torch", "--preset", "smoke", "--epochs", 1)
    result = run(
        script("digits"), *options, "--output-dir", copy, "--no-resume"
    )
    assert result.returncode == 0, result.stderr[-3000:]
    (row,) = read_log(copy)
    assert row["epoch"] == "0"
    assert json.loads((copy / "metrics.json").read_text())["best_epoch"] == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_that_is_not_installed_is_a_usage_error(
    run, backend, tmp_path
):
    result = run(
        *("-c", RUN_WITHOUT, backend, script("digits")),
        *("--backend", backend, "--output-dir", tmp_path),
    )
    assert_usage_error(result, "--backend", f"pip install {backend}")


@pytest.mark.parametrize("from_environment", [False, True])
def test_an_unknown_backend_is_a_usage_error(run, from_environment, tmp_path):
    if from_environment:
        options, environment = [], {"KERAS_BACKEND": "theano"}
    else:
        options, environment = ["--backend", "theano"], {}
    result = run(
        script("digits"), "--output-dir", tmp_path, *options, **environment
    )
    assert_usage_error(result, "theano", "'jax', 'tensorflow', 'torch'")


def test_an_output_folder_that_cannot_be_made_is_a_usage_error(run, tmp_path):
    file = tmp_path / "file"
    file.touch()
    result = run(script("digits"), "--output-dir", file / "folder")
    assert_usage_error(result, "--output-dir", "cannot write")


@pytest.mark.parametrize("name", ["listops", "scifar", "ptbxl"])
def test_a_wrong_data_folder_is_a_usage_error_that_names_it(
    run, name, tmp_path
):
    result = run(
        *(script(name), "--backend", "torch", "--preset", "smoke"),
        *("--data-dir", tmp_path, "--output-dir", tmp_path / "runs"),
    )
    assert_usage_error(result, "--data-dir", str(tmp_path))
    # The same command with the right folder is no other run.
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("listops", "[MAX 2 9", "`[MAX` has no `]`"),
        ("scifar", "none.png", "none.png"),
        ("ptbxl", "none", "none"),
    ],
)
def test_a_wrong_input_is_a_usage_error_that_names_it(
    run, trained, name, value, problem
):
    output_dir, _ = trained(name, "torch")
    model = output_dir / "model.keras"
    options = ("--backend", "torch", "--model", model, "--predict", value)
    assert_usage_error(run(script(name), *options), "--predict", problem)


def test_a_file_that_is_no_model_of_the_example_is_a_usage_error(
    run, trained, tmp_path
):
    file = tmp_path / "model.keras"
    file.write_bytes(b"PK")
    options = ("--backend", "torch", "--predict", "[MAX 1 2 ]", "--model")
    result = run(script("listops"), *options, file)
    assert_usage_error(result, "--model", str(file))
    output_dir, _ = trained("digits", "torch")
    result = run(script("listops"), *options, output_dir / "model.keras")
    assert_usage_error(result, "--model", "64, 1)", "2048)")


def test_model_and_predict_belong_together(run):
    result = run(script("listops"), "--predict", "[MAX 1 2 ]")
    assert_usage_error(result, "--model", "--predict")


def test_ptbxl_needs_a_data_folder_to_train(run):
    assert_usage_error(run(script("ptbxl")), "--data-dir")


@pytest.mark.parametrize("name", SOURCES)
def test_help_names_every_option(run, name):
    result = run(script(name), "--help")
    assert result.returncode == 0
    options = (
        *("backend", "preset", "output-dir", "epochs", "batch-size", "seed"),
        *("dtype-policy", "jit-compile", "resume"),
    )
    if name == "density":
        options = (*options, "data", "data-dir", "model", "generate")
    elif name == "text":
        options = (*options, "model", "generate", "prompt", "temperature")
    elif name != "digits":
        options = (*options, "data-dir", "model", "predict")
    for option in options:
        assert f"--{option}" in result.stdout
