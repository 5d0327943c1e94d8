"""A tokenizer of keras-nlp in front of a classifier."""

import keras
import keras_nlp
import numpy as np

from keras_multires.models import MultiresClassifier


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
