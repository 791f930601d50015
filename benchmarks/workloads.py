"""What is trained: three workloads, each declared once and used by all contenders.

A workload is a network, its loss and its data; the optimizer is AdamW for all. One
update is written here too, so that contenders differ in how they call it alone.
`tuner` is not told of it: its study has the same loss, and its own step.
"""

import dataclasses
import functools
import gzip
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

RATES, DECAYS = (1e-4, 1e-2), (1e-6, 1e-1)  # learning rate, weight decay: log-uniform
EVAL_EVERY = 50  # steps
FASHION = Path("/usr/share/datasets/fashion-mnist")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workload:
    """A network and its data.

    Attributes:
        title: what the table calls it.
        init: `(key) -> params`.
        loss: `(params, batch) -> (mean loss, share of errors)`.
        train: arrays, each [examples, ...].
        valid: likewise.
        batch_size: examples.
    """

    title: str
    init: Callable[[jax.Array], Any]
    loss: Callable[[Any, tuple], tuple[jax.Array, jax.Array]]
    train: tuple[np.ndarray, ...]
    valid: tuple[np.ndarray, ...]
    batch_size: int


def load(name: str) -> Workload:
    """The workload of a name in `MAKERS`."""
    return MAKERS[name]()


def update(
    workload: Workload, params: Any, state: Any, key: jax.Array, rate, decay, data
) -> tuple[Any, Any, dict[str, jax.Array]]:
    """One step of AdamW on a batch drawn with replacement; the key is consumed.

    Returns:
        New params and optimizer state, and what `tuner` records of a step. What a
        caller does not return from its jitted function is not computed.
    """
    index = jax.random.randint(key, (workload.batch_size,), 0, len(data[0]))
    batch = jax.tree.map(lambda a: a[index], data)
    (loss, error), gradient = jax.value_and_grad(workload.loss, has_aux=True)(
        params, batch
    )
    updates, state = optimizer(rate, decay).update(gradient, state, params)
    metrics = {
        "loss": loss,
        "error": error,
        "grad_norm": optax.tree.norm(gradient),
        "update_norm": optax.tree.norm(updates),
    }
    return optax.apply_updates(params, updates), state, metrics


def begin(workload: Workload, key: jax.Array) -> tuple[Any, Any]:
    """Fresh params and optimizer state."""
    params = workload.init(key)
    return params, optimizer(0.0, 0.0).init(params)


def optimizer(rate: Any, decay: Any) -> optax.GradientTransformation:
    """AdamW; both numbers may be traced."""
    return optax.adamw(rate, weight_decay=decay)


def mlp() -> Workload:
    """Digits, 8 x 8 pixels: 1,500 to train on, 297 to judge by."""
    from sklearn.datasets import load_digits  # an extra

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    x, y = (pixels[order] / 16).astype(np.float32), labels[order].astype(np.int32)

    def logits(params, x):
        *hidden, last = params
        for layer in hidden:
            x = jax.nn.relu(x @ layer["w"] + layer["b"])
        return x @ last["w"] + last["b"]

    return Workload(
        title="MLP 64-64-64-10 on digits, batch 64",
        init=functools.partial(_dense, sizes=[(64, 64), (64, 64), (64, 10)]),
        loss=functools.partial(_classify, logits),
        train=(x[:1500], y[:1500]),
        valid=(x[1500:], y[1500:]),
        batch_size=64,
    )


def cnn() -> Workload:
    """Fashion-MNIST, 28 x 28 pixels: two 3 x 3 convolutions with max-pooling."""

    def init(key):
        keys = jax.random.split(key, 3)
        return {
            "first": jax.random.normal(keys[0], (3, 3, 1, 16)) / 3,
            "second": jax.random.normal(keys[1], (3, 3, 16, 32)) / 12,
            "dense": _dense(keys[2], sizes=[(7 * 7 * 32, 10)])[0],
        }

    def convolve(x, kernel):
        x = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        pool = (1, 2, 2, 1)
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, pool, pool, "VALID")
        return jax.nn.relu(x)

    def logits(params, x):
        x = x[..., None].astype(jnp.float32) / 255
        x = convolve(convolve(x, params["first"]), params["second"])
        x = x.reshape(x.shape[0], -1)
        return x @ params["dense"]["w"] + params["dense"]["b"]

    return Workload(
        title="CNN of 16 and 32 channels on Fashion-MNIST, batch 64",
        init=init,
        loss=functools.partial(_classify, logits),
        train=_fashion("train"),
        valid=tuple(a[:1000] for a in _fashion("t10k")),
        batch_size=64,
    )


def transformer() -> Workload:
    """The bytes of Python's standard library: 2 layers, width 128, context 64."""
    width, heads, context = 128, 4, 64
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    text = np.frombuffer(b"".join(path.read_bytes() for path in files), np.uint8)
    windows = text[: len(text) // (context + 1) * (context + 1)]
    windows = np.random.default_rng(0).permutation(windows.reshape(-1, context + 1))

    def init(key):
        keys = iter(jax.random.split(key, 10))
        matrix = lambda *shape: 0.05 * jax.random.normal(next(keys), shape)  # noqa: E731
        layers = [
            {
                "qkv": matrix(width, 3 * width),
                "out": matrix(width, width),
                "up": matrix(width, 4 * width),
                "down": matrix(4 * width, width),
            }
            for _ in range(2)
        ]
        return {
            "embed": matrix(256, width),
            "place": matrix(context, width),
            "layers": layers,
        }

    def norm(x):
        return x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-6)

    def logits(params, tokens):
        x = params["embed"][tokens] + params["place"]
        for layer in params["layers"]:
            split = (norm(x) @ layer["qkv"]).reshape(*x.shape[:-1], 3, heads, -1)
            mixed = jax.nn.dot_product_attention(
                split[..., 0, :, :],
                split[..., 1, :, :],
                split[..., 2, :, :],
                is_causal=True,
            )
            x = x + mixed.reshape(x.shape) @ layer["out"]
            x = x + jax.nn.gelu(norm(x) @ layer["up"]) @ layer["down"]
        return norm(x) @ params["embed"].T

    def loss(params, batch):
        tokens = batch[0].astype(jnp.int32)
        return _classify(logits, params, (tokens[:, :-1], tokens[:, 1:]))

    return Workload(
        title="Byte transformer, 2 layers, width 128, context 64, batch 16",
        init=init,
        loss=loss,
        train=(windows[256:],),
        valid=(windows[:64],),
        batch_size=16,
    )


MAKERS = {"mlp": mlp, "cnn": cnn, "transformer": transformer}


def _dense(key, sizes):
    return [
        {"w": jax.random.normal(k, size) / np.sqrt(size[0]), "b": jnp.zeros(size[1])}
        for k, size in zip(jax.random.split(key, len(sizes)), sizes, strict=True)
    ]


def _classify(logits, params, batch):
    """Mean cross entropy, and the share of errors."""
    inputs, labels = batch
    scores = logits(params, inputs)
    losses = optax.softmax_cross_entropy_with_integer_labels(scores, labels)
    return losses.mean(), (scores.argmax(-1) != labels).mean()


def _fashion(part):
    def read(kind, skip):
        with gzip.open(FASHION / f"{part}-{kind}-ubyte.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=skip)

    images = read("images-idx3", 16).reshape(-1, 28, 28)
    return images, read("labels-idx1", 8).astype(np.int32)
