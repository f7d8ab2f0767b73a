"""An LSTM language model."""

import keras


def lstm_language_model(
    vocabulary_size: int,
    *,
    embedding: int = 128,
    units: int = 128,
    layers: int = 1,
    dropout: float = 0.0,
    initial_range: float | None = None,
    dtype: str = "float32",
    seed: int = 0,
) -> keras.Model:
    """Embedding, `layers` LSTMs and a dense layer: int32 (batch, time) -> logits (batch, time, V).

    The layers are named "embedding", "lstm_1", "lstm_2", ..., "logits". Use it with
    `SparseCategoricalCrossentropy(from_logits=True)`; perplexity is exp of that loss.

    Args:
        vocabulary_size: V, the number of distinct tokens.
        embedding: width of the embedding.
        units: width of each LSTM.
        layers: number of LSTMs.
        dropout: share of the activations that training drops between layers, in [0, 1).
        initial_range: weights start uniform in ±initial_range. None: Keras' own initializers.
        dtype: dtype policy of all layers.
        seed: of the initial weights and of dropout.
    """
    seeds = iter(range(1_000_003 * seed, 1_000_003 * seed + 1000))

    def initial(default: str) -> keras.initializers.Initializer:
        if initial_range is None:
            return keras.initializers.get({"class_name": default, "config": {"seed": next(seeds)}})
        return keras.initializers.RandomUniform(-initial_range, initial_range, seed=next(seeds))

    def dropped(x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.layers.Dropout(dropout, seed=next(seeds), dtype=dtype)(x) if dropout else x

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(
        vocabulary_size,
        embedding,
        embeddings_initializer=initial("RandomUniform"),
        dtype=dtype,
        name="embedding",
    )(tokens)
    for layer in range(1, layers + 1):
        x = keras.layers.LSTM(
            units,
            return_sequences=True,
            kernel_initializer=initial("GlorotUniform"),
            recurrent_initializer=initial("Orthogonal"),
            # The same arithmetic on every device. cuDNN has another, and hides the gates.
            use_cudnn=False,
            dtype=dtype,
            name=f"lstm_{layer}",
        )(dropped(x))
    logits = keras.layers.Dense(
        vocabulary_size, kernel_initializer=initial("GlorotUniform"), dtype=dtype, name="logits"
    )(dropped(x))
    return keras.Model(tokens, logits, name="lstm_language_model")
