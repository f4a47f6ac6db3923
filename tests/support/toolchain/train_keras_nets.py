"""Trains three small Keras models on real digits, in the toolchain's interpreter: `python FILE DIGITS.npz FOLDER`.

Writes `cnn.keras` (depthwise and residual parts), `cnn.h5`, `lstm.keras` and `attention.keras`; seconds each.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers


def cnn() -> keras.Model:
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.Conv2D(16, 1, use_bias=False)(y)
    x = layers.ReLU()(layers.Add()([x, layers.BatchNormalization()(y)]))
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(image, {"logits": layers.Dense(10)(layers.Flatten()(x))}, name="cnn")


def lstm() -> keras.Model:
    image = keras.Input((8, 8, 1), name="image")
    x = layers.LSTM(32)(layers.Reshape((8, 8))(image))
    return keras.Model(image, {"logits": layers.Dense(10)(x)}, name="lstm")


def attention() -> keras.Model:
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Dense(32)(layers.Reshape((8, 8))(image))
    y = layers.MultiHeadAttention(2, 16)(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, y]))
    x = layers.Dense(32, activation="gelu")(layers.Flatten()(x))
    return keras.Model(image, {"logits": layers.Dense(10)(x)}, name="attention")


def main(digits: Path, folder: Path) -> None:
    keras.utils.set_random_seed(7)
    with np.load(digits) as data:
        image, label = data["image"].astype(np.float32) / 16, data["label"]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for build in (cnn, lstm, attention):
        model = build()
        model.compile(keras.optimizers.Adam(4e-3), {"logits": loss})
        model.fit(image, {"logits": label}, batch_size=32, epochs=15, verbose=0)
        bare = keras.Model(model.input, model.output, name=model.name)
        bare.save(folder / f"{model.name}.keras")
        if build is cnn:
            bare.save(folder / "cnn.h5")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
