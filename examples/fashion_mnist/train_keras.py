"""Trains the small Keras model of the Raspberry Pi demo and writes it as `.keras` and, converted, as `.tflite`.

    pip install tensorflow-cpu==2.21.0
    python examples/fashion_mnist/train_keras.py --output FOLDER

About five minutes on two cores. Data: Debian's package `dataset-fashion-mnist` (MIT, Zalando SE), as in `train.py`.
"""

import argparse
import gzip
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

DATASET = Path("/usr/share/datasets/fashion-mnist")
SEED = 20
SIDE, CLASSES = 28, 10
MEAN, STD = 0.2860, 0.3530
BATCH, PEAK_RATE = 128, 4e-3
NAME = "fashion_mnist_mobile"


def read_part(folder: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads pictures, normalised, (n, 28, 28, 1), and labels, (n,); IDX headers are 16 and 8 bytes long."""
    with gzip.open(folder / f"{prefix}-images-idx3-ubyte.gz") as file:
        image = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, SIDE, SIDE, 1)
    with gzip.open(folder / f"{prefix}-labels-idx1-ubyte.gz") as file:
        label = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
    return ((image.astype(np.float32) / 255 - MEAN) / STD), label


def conv(x: keras.KerasTensor, channels: int, stride: int = 1) -> keras.KerasTensor:
    """Adds a 3x3 convolution with batch normalisation and ReLU."""
    x = keras.layers.Conv2D(channels, 3, stride, padding="same", use_bias=False)(x)
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))


def block(x: keras.KerasTensor) -> keras.KerasTensor:
    """Adds a depthwise and a pointwise convolution with a connection around both."""
    y = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = keras.layers.ReLU()(keras.layers.BatchNormalization()(y))
    y = keras.layers.Conv2D(x.shape[-1], 1, use_bias=False)(y)
    y = keras.layers.BatchNormalization()(y)
    return keras.layers.ReLU()(keras.layers.Add()([x, y]))


def network() -> keras.Model:
    """Returns the untrained model: ordinary, depthwise and residual parts, as mobile networks have them."""
    image = keras.Input((SIDE, SIDE, 1), name="image")
    x = block(conv(image, 24, 2))
    x = block(conv(x, 48, 2))
    x = block(conv(x, 72, 2))
    logits = keras.layers.Dense(CLASSES, name="logits")(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, {"logits": logits}, name=NAME)


def augmented(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mirrors and shifts pictures by up to two pixels."""
    black = -MEAN / STD
    padded = tf.pad(image, [[2, 2], [2, 2], [0, 0]], constant_values=black)
    return tf.image.random_flip_left_right(tf.image.random_crop(padded, (SIDE, SIDE, 1))), label


def train(image: np.ndarray, label: np.ndarray, epochs: int) -> keras.Model:
    """Trains for a fixed number of epochs and keeps the last weights, so that no test image chooses among them."""
    model = network()
    steps = len(image) // BATCH
    data = tf.data.Dataset.from_tensor_slices((image, label)).shuffle(len(image), seed=SEED).map(augmented)
    schedule = keras.optimizers.schedules.CosineDecay(PEAK_RATE, epochs * steps)
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=1e-3),
        {"logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
    )
    model.fit(data.map(lambda x, y: (x, {"logits": y})).batch(BATCH, drop_remainder=True), epochs=epochs, verbose=2)
    return model


def export(model: keras.Model, folder: Path) -> Path:
    """Writes the model for inference in both formats; returns the TFLite file."""
    bare = keras.Model(model.input, model.output, name=NAME)  # without the optimiser's state
    bare.save(folder / f"{NAME}.keras")
    converter = tf.lite.TFLiteConverter.from_keras_model(bare)
    path = folder / f"{NAME}.tflite"
    path.write_bytes(converter.convert())
    return path


def top1(path: Path, image: np.ndarray, label: np.ndarray) -> float:
    """Returns the share of images to which the TFLite file gives the right label."""
    run = tf.lite.Interpreter(str(path)).get_signature_runner("serving_default")
    answers = [int(run(image=one[np.newaxis])["logits"].argmax()) for one in image]
    return float((np.array(answers) == label).mean())


def main() -> None:
    """Reads the command line, trains, exports and measures."""
    parser = argparse.ArgumentParser(description="Train the small Keras model of the Raspberry Pi demo.")
    parser.add_argument("--dataset", type=Path, default=DATASET, help="folder of the four IDX files")
    parser.add_argument("--output", type=Path, required=True, help="folder that receives the files")
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)

    keras.utils.set_random_seed(SEED)
    image, label = read_part(arguments.dataset, "train")
    model = train(image, label, arguments.epochs)
    path = export(model, output)
    test_image, test_label = read_part(arguments.dataset, "t10k")
    print(f"parameters: {model.count_params():,}; {path.stat().st_size:,} bytes")
    print(f"top-1 of the TFLite file: {top1(path, test_image, test_label):.4f} on {len(test_label):,} test images")


if __name__ == "__main__":
    main()
