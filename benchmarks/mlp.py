"""The MLP of the digits, 512 trials of 500 steps: tuner, a fused loop, and Optuna.

Command: python benchmarks/mlp.py [--trials 512] [--optuna-trials 24] [--repeats 3]

All three train the same 64-64-64-10 network with AdamW, batch 64, on 1,500 digits.
- tuner records every step and evaluates every 50; layout by its rule.
- fused: the best loop that we could write by hand and that records nothing: `lax.scan`
  over steps, `vmap` over 4 lanes, `lax.map` over chunks, `shard_map` over the devices.
- optuna: a jitted step called from Python, its learning rate and weight decay traced so
  that nothing compiles again, evaluated every 50 steps.

Each is warmed up first; compilation is not in these figures. A figure is trial-steps a
second, the median of the repeats; ratios within one run are what holds on a noisy
machine.
"""

import argparse
import functools
import json
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import jax

jax.config.update("jax_num_cpu_devices", 2)

import jax.numpy as jnp  # noqa: E402 (devices are counted when JAX is first used)
import numpy as np  # noqa: E402
import optax  # noqa: E402
import optuna  # noqa: E402
from jax.sharding import AxisType, PartitionSpec  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

import tuner  # noqa: E402
from tuner.rounds.display import Silent  # noqa: E402

STEPS, BATCH, HIDDEN, WIDTH = 500, 64, 64, 4


def examples():
    """Train and validation examples."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    x, y = (pixels[order] / 16).astype(np.float32), labels[order].astype(np.int32)
    return (x[:1500], y[:1500]), (x[1500:], y[1500:])


TRAIN, VALID = examples()


def init(key, hyperparams=None):
    """Three layers."""
    sizes = [(64, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 10)]
    return [
        {"w": 0.1 * jax.random.normal(key, size), "b": jnp.zeros(size[1])}
        for key, size in zip(jax.random.split(key, 3), sizes, strict=True)
    ]


def loss_of(params, batch):
    """Mean cross entropy, and the share of errors."""
    x, labels = batch
    *hidden, last = params
    for layer in hidden:
        x = jax.nn.relu(x @ layer["w"] + layer["b"])
    logits = x @ last["w"] + last["b"]
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return losses.mean(), (logits.argmax(-1) != labels).mean()


def tuner_study(trials):
    """The same task as a study."""

    def loss(key, hyperparams, params, batch):
        mean, error = loss_of(params, batch)
        return mean, {"error": error}

    def evaluate(key, hyperparams, params, batch):
        mean, metrics = loss(key, hyperparams, params, batch)
        return {"loss": mean, **metrics}

    return tuner.Study(
        name="mlp",
        space=tuner.Space(
            learning_rate=tuner.Float(1e-4, 1e-1, log=True),
            weight_decay=tuner.Float(1e-6, 1e-1, log=True),
        ),
        task=tuner.SupervisedTask(
            init=init,
            loss=loss,
            evaluate=evaluate,
            optimizer=lambda hyperparams, learning_rate: optax.adamw(
                learning_rate, weight_decay=hyperparams.weight_decay
            ),
            train=tuner.Arrays(*TRAIN),
            valid=tuner.Arrays(*VALID),
            batch_size=BATCH,
        ),
        schedule=lambda hyperparams, steps: tuner.warmup_constant_decay(
            hyperparams.learning_rate, steps, decay_fraction=0.3
        ),
        objective="valid/error",
        rounds=[tuner.Round(trials=trials, max_train_steps=STEPS)],
        eval_every=50,
    )


class WhenTrained(Silent):
    """Notes when training itself began: what came before is compilation."""

    began = 0.0

    def compiled(self, group, seconds):
        """The program is there."""
        self.began = time.perf_counter()


def run_tuner(trials):
    """Seconds of training and recording, without compilation; the run's figures."""
    directory = Path(tempfile.mkdtemp())
    display = WhenTrained()
    run = tuner.run(tuner_study(trials), directory / "run", display=display)
    seconds = time.perf_counter() - display.began
    figures = dict(run.figures)
    shutil.rmtree(directory)
    return seconds, figures


def make_fused(trials):
    """The fused loop, compiled; records nothing, evaluates nothing."""
    mesh = jax.make_mesh(
        (jax.device_count(),), ("trials",), axis_types=(AxisType.Auto,)
    )
    lanes = PartitionSpec("trials")

    def train(key, rate, decay, data):
        params = init(key)
        state = optax.adamw(rate, weight_decay=decay).init(params)

        def step(carry, number):
            params, state = carry
            index = jax.random.randint(
                jax.random.fold_in(key, number), (BATCH,), 0, len(data[0])
            )
            batch = jax.tree.map(lambda a: a[index], data)
            gradient = jax.grad(lambda p: loss_of(p, batch)[0])(params)
            updates, state = optax.adamw(rate, weight_decay=decay).update(
                gradient, state, params
            )
            return (optax.apply_updates(params, updates), state), None

        (params, _), _ = jax.lax.scan(step, (params, state), jnp.arange(STEPS))
        return params

    def chunks(keys, rates, decays, data):
        shaped = jax.tree.map(
            lambda a: a.reshape(-1, WIDTH, *a.shape[1:]), (keys, rates, decays)
        )
        return jax.lax.map(
            lambda chunk: jax.vmap(functools.partial(train, data=data))(*chunk), shaped
        )

    fused = jax.jit(
        jax.shard_map(
            chunks,
            mesh=mesh,
            in_specs=(lanes, lanes, lanes, PartitionSpec()),
            out_specs=lanes,
            check_vma=False,
        )
    )
    keys = jax.random.split(jax.random.key(0), trials)
    rates = jnp.logspace(-4, -1, trials)
    decays = jnp.logspace(-6, -1, trials)

    def run():
        started = time.perf_counter()
        jax.block_until_ready(fused(keys, rates, decays, TRAIN))
        return time.perf_counter() - started

    run()
    return run


def make_optuna():
    """A study of Optuna around a jitted step; what a user would write today."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    train, valid = jax.device_put(TRAIN), jax.device_put(VALID)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state, key, rate, decay):
        index = jax.random.randint(key, (BATCH,), 0, len(train[0]))
        batch = jax.tree.map(lambda a: a[index], train)
        (loss, _), gradient = jax.value_and_grad(loss_of, has_aux=True)(params, batch)
        updates, state = optax.adamw(rate, weight_decay=decay).update(
            gradient, state, params
        )
        return optax.apply_updates(params, updates), state, loss

    judge = jax.jit(lambda params: loss_of(params, valid)[1])
    begin = jax.jit(init)
    keys_of = jax.jit(lambda key: jax.random.split(key, STEPS))

    def objective(trial):
        rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
        decay = trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True)
        key = jax.random.key(trial.number)
        params = begin(key)
        state = optax.adamw(0.0).init(params)
        best = 1.0
        for number, step_key in enumerate(list(keys_of(key)), start=1):
            params, state, _ = step(params, state, step_key, rate, decay)
            if number % 50 == 0:
                error = float(judge(params))
                trial.report(error, number)
                best = min(best, error)
        return best

    def run(trials):
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        started = time.perf_counter()
        study.optimize(objective, n_trials=trials)
        return time.perf_counter() - started

    run(1)
    return run


def ratios(ours, theirs):
    """Turn by turn: what ran side by side is compared."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def main():
    """Measure in turns, so that a busy minute of the machine hits all alike."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=512)
    parser.add_argument("--optuna-trials", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    fused, with_optuna = make_fused(arguments.trials), make_optuna()
    speeds = {"tuner": [], "fused": [], "optuna": []}
    for _ in range(arguments.repeats):
        seconds, figures = run_tuner(arguments.trials)
        speeds["tuner"].append(figures["trial_steps"] / seconds)
        speeds["fused"].append(arguments.trials * STEPS / fused())
        seconds = with_optuna(arguments.optuna_trials)
        speeds["optuna"].append(arguments.optuna_trials * STEPS / seconds)
    result = {
        "workload": f"MLP 64-64-64-10, digits, batch {BATCH}, AdamW, "
        f"{arguments.trials} trials x {STEPS} steps",
        "device": jax.local_devices()[0].device_kind,
        "devices": jax.device_count(),
        "jax": jax.__version__,
        "python": platform.python_version(),
        "trial_steps_per_second": {
            name: {
                "median": statistics.median(values),
                "least": min(values),
                "most": max(values),
            }
            for name, values in speeds.items()
        },
        "tuner_to_fused": ratios(speeds["tuner"], speeds["fused"]),
        "tuner_to_optuna": ratios(speeds["tuner"], speeds["optuna"]),
        "compilations": figures["compilations"],
        "training_programs": figures["programs"],
    }
    print(json.dumps(result, indent=2))
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(result, indent=2) + "\n")
    for other in ("fused", "optuna"):
        ratio = statistics.median(result[f"tuner_to_{other}"])
        print(f"tuner / {other}: {ratio:.2f} (median of {arguments.repeats})")


if __name__ == "__main__":
    main()
