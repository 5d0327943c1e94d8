"""Reads electrocardiograms: the labels of PTB-XL.

Ten seconds of twelve leads are a sequence of 1,000 steps, and `--task` chooses
which of its 71 labels the model learns. `--download` gets the data set (1.8 GB)
into `--data-dir` if it is not there:

    python -m pip install ".[jax,examples]"
    python examples/ptbxl.py --data-dir ptb-xl --download

`--preset paper` is the paper's experiment. A trained model takes WFDB records:

    python examples/ptbxl.py --model runs/ptbxl/model.keras \\
        --predict ptb-xl/records100/00000/00001_lr
"""

import click
import experiment  # before Keras, whose backend it chooses
import keras
from experiment import ecg

from keras_multires import metrics
from keras_multires import visualization
from keras_multires.datasets import ptbxl
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresNet

PAPER = {
    "model": {"hidden_dim": 128, "num_layers": 6, "dropout": 0.2},
    "learning_rate": 0.0045,
    "weight_decay": 0.06,
    "warmup_epochs": 5,
    "epochs": 100,
    "batch_size": 50,
}
SMALL = {
    **PAPER,
    "model": {"hidden_dim": 32, "num_layers": 4, "dropout": 0.2},
    "warmup_epochs": 4,
    "epochs": 80,
    "batch_size": 8,
}
TINY = {"hidden_dim": 8, "num_layers": 2, "dropout": 0.2}  # for the tests
SMOKE = {**SMALL, "model": TINY, "warmup_epochs": 1, "epochs": 2}
PRESETS = {"paper": PAPER, "small": SMALL, "smoke": SMOKE}


@click.command()
@experiment.training_options("runs/ptbxl", PRESETS)
@ecg.data_options
@experiment.prediction_options("RECORD", "Path of a WFDB record of 100 Hz")
def main(options):
    """Train a classifier of electrocardiograms, or predict with one."""
    if options.predict:
        return ecg.predict(options.model, options.predict)
    if options.data_dir is None:
        raise click.UsageError("--data-dir is needed to train.")
    preset = options.preset
    run = experiment.Run(f"ptbxl_{options.task}", options)

    with experiment.usage_errors("--data-dir"):
        # Millivolts `(n, 1000, 12)`, and 0 or 1 for each label `(n, labels)`.
        parts = ptbxl.load_data(
            options.data_dir,
            options.task,
            standardize=False,
            download=options.download,
        )
        labels = ptbxl.label_names(options.task, options.data_dir)
    training, validation, (inputs, targets) = parts
    ecg.check_labels(validation=validation[1], test=targets)

    # The model takes millivolts and standardises them itself.
    normalization = keras.layers.Normalization(
        axis=None, mean=training[0].mean(), variance=training[0].var()
    )
    with run.scope():  # all devices
        backbone = MultiresNet(**preset.model, length=1000, input_channels=12)
        model = MultiresClassifier(backbone, len(labels), normalization)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        auroc = metrics.LogitAUC(
            multi_label=True,
            num_labels=len(labels),
            label_weights=ecg.label_weights(validation[1]),
            name="auroc",
        )
        model.compile(
            optimizer=keras.optimizers.AdamW(
                experiment.warmup_then_cosine(preset, len(training[0])),
                weight_decay=preset.weight_decay,
                epsilon=1e-8,
            ),
            loss=loss,
            metrics=[auroc],
            jit_compile=options.jit_compile,
        )
        model.fit(
            run.batches(training),
            epochs=preset.epochs,
            shuffle=False,  # the batches are shuffled
            validation_data=validation,
            validation_batch_size=preset.batch_size,
            # They write the log, the best model and a backup to resume from.
            callbacks=run.start(
                model, parts, "val_auroc", "max", files={"labels.json": labels}
            ),
            verbose=run.verbose,
        )
    log = run.end_training()

    # A model that is linear in the samples of the record, to compare with.
    features = [normalization, keras.layers.Flatten()]
    linear = experiment.fit_linear(
        features, len(labels), training, validation, loss
    )

    # The model of the best epoch.
    model = keras.models.load_model(run.model_path)
    logits = model.predict(inputs, verbose=0).astype("float32")
    linear_logits = linear.predict(inputs, verbose=0)
    score, details = ecg.score(labels, targets, logits)
    linear_score, _ = ecg.score(labels, targets, linear_logits)
    results = {
        "test_auroc": score,
        "baseline": "linear_in_the_samples",
        "baseline_test_auroc": linear_score,
        **details,
    }

    figure, axes = experiment.draw_training(model, log, "auroc")
    visualization.plot_roc_curves(targets, logits, labels, ax=axes)
    figures = {
        "overview.png": figure,
        "scalogram.png": ecg.draw_scalogram(model, inputs[0]),
    }
    source = f"PTB-XL, {sum(len(inputs) for inputs, _ in parts):,} records"
    run.finish(model, source, results, figures)


if __name__ == "__main__":
    main()
