"""Tokenizers of keras-nlp."""

import keras
import keras_nlp
import numpy as np

from keras_multires.datasets import listops
from keras_multires.models import MultiresClassifier
from keras_multires.models import MultiresNet
from testing.paths import TESTDATA

LISTOPS = TESTDATA / "listops"


def test_a_classifier_learns_from_token_ids_of_keras_nlp():
    keras.utils.set_random_seed(0)
    vocabulary = ["[PAD]", "[UNK]", "good", "bad", "a", "day"]
    tokenizer = keras_nlp.tokenizers.WordPieceTokenizer(
        vocabulary, sequence_length=8, lowercase=True
    )
    sentences = ["a good day", "a bad day", "good good", "bad a bad a bad"]
    token_ids = np.asarray(tokenizer(sentences))
    assert token_ids.max() < len(vocabulary)
    backbone = MultiresNet(8, 1, length=8, vocabulary_size=len(vocabulary))
    model = MultiresClassifier(backbone, num_classes=2)
    model.compile(
        keras.optimizers.Adam(0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    targets = np.array([0, 1, 0, 1])
    model.fit(token_ids, targets, epochs=15, verbose=0)
    predictions = model.predict(token_ids, verbose=0).argmax(axis=-1)
    np.testing.assert_array_equal(predictions, targets)


def test_listops_ids_equal_those_of_a_tokenizer_with_its_vocabulary():
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
