"""The tutorial's script: Adagrad, Adadelta, Adam and AdaBound on MNIST, in Keras 3 on any of its backends.

It trains a small convolutional network anew with each optimizer and prints the loss and accuracy on the test images.
Beside the imports, three things had to change since it was written for Keras 2: `lr` is now `learning_rate`, MNIST
comes from `surefoot.datasets`, which has it without a download, and AdaBound comes from `surefoot.keras`.

    KERAS_BACKEND=jax python examples/mnist_keras.py
"""

import argparse

import keras
from keras import layers
from keras.optimizers import Adadelta, Adagrad, Adam

from surefoot.datasets import load
from surefoot.keras import AdaBound

OPTIMIZERS = {
    "Adagrad": lambda: Adagrad(learning_rate=0.001),
    "Adadelta": lambda: Adadelta(learning_rate=0.001, rho=0.95),
    "Adam": lambda: Adam(learning_rate=0.01),
    "AdaBound": lambda: AdaBound(learning_rate=1e-3, final_lr=0.1, gamma=1e-3),
}


def build_model():
    """Two convolutions, each normalized before and after pooling, and two dense layers."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def prepared(images, labels, count):
    """Pixels in 0..1 with a channel axis, labels as one-hot rows; the first `count` of them, or all."""
    x = images[:count, ..., None].astype("float32") / 255
    return x, keras.utils.to_categorical(labels[:count], 10)


def main():
    """Train with each optimizer and print how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--train-size", type=int, help="use only the first images for training")
    parser.add_argument("--test-size", type=int, help="use only the first images for testing")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    data = load("mnist")
    x_train, y_train = prepared(data.train_images, data.train_labels, args.train_size)
    x_test, y_test = prepared(data.test_images, data.test_labels, args.test_size)
    for name, make in OPTIMIZERS.items():
        keras.utils.set_random_seed(args.seed)
        model = build_model()
        model.compile(make(), loss="categorical_crossentropy", metrics=["accuracy"])
        model.fit(x_train, y_train, batch_size=250, epochs=args.epochs, validation_split=0.2, verbose=2)
        loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
        print(f"Test loss using {name}: {loss:.4f}")
        print(f"Test accuracy using {name}: {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
