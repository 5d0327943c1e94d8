"""Tokenizers of keras-nlp."""

from pathlib import Path

import keras
import keras_nlp
import numpy as np

import keras_multires
from keras_multires.datasets import listops
from keras_multires.models import MultiresClassifier

LISTOPS = Path(keras_multires.__file__).parent / "datasets/testdata/listops"


def test_a_classifier_learns_from_tokens_of_keras_nlp():
    keras.utils.set_random_seed(0)
    vocabulary = ["[PAD]", "[UNK]", "good", "bad", "a", "day"]
    tokenizer = keras_nlp.tokenizers.WordPieceTokenizer(
        vocabulary, sequence_length=8, lowercase=True
    )
    sentences = ["a good day", "a bad day", "good good", "bad a bad a bad"]
    token_ids = np.asarray(tokenizer(sentences))
    assert token_ids.max() < len(vocabulary)
    model = MultiresClassifier(
        2,
        length=8,
        vocabulary_size=len(vocabulary),
        hidden_dim=8,
        num_layers=1,
        dropout=0.0,
    )
    model.compile(
        keras.optimizers.Adam(0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    targets = np.array([0, 1, 0, 1])
    model.fit(token_ids, targets, epochs=15, verbose=0)
    predictions = model.predict(token_ids, verbose=0).argmax(axis=-1)
    np.testing.assert_array_equal(predictions, targets)


def test_ids_of_listops_are_those_of_a_tokenizer_with_its_vocabulary():
    (inputs, _), _, _ = listops.load_data(LISTOPS)
    tokenizer = keras_nlp.tokenizers.WordPieceTokenizer(
        vocabulary=listops.VOCABULARY,
        split=False,
        lowercase=False,
        sequence_length=listops.LENGTH,
    )
    lines = (LISTOPS / "basic_train.tsv").read_text().splitlines()[1:]
    assert len(lines) == len(inputs)
    for line, row in zip(lines, inputs, strict=True):
        source, _ = line.split("\t")
        tokens = [token for token in source.split() if token not in "()"]
        token_ids = np.asarray(tokenizer([*tokens, "[END]"]))
        np.testing.assert_array_equal(np.ravel(token_ids), row)
