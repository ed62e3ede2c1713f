"""Many networks at once against one after the other, with the very same masks; its randomness."""

from __future__ import annotations

import pickle
import sys

import joblib
import numpy as np
import pytest
import torch
from torch import nn

from dlcourse import descent, stack
from dlcourse import grid as module
from dlcourse.data import digits
from dlcourse.descent import Masks, mask_generator
from dlcourse.grid import train_grid
from dlcourse.stack import Stack
from dlcourse.training import mlp, score, train
from tests.test_training import made, stopping_after, weights

FEW = digits(train_size=130)
PLAN = {"epochs": 3, "batch_size": 40, "lr": 0.2, "momentum": 0.5, "progress": None}


class Replayed(nn.Module):
    """Dropout with the numbers that `train_grid` draws, written for one network and one batch."""

    def __init__(self, p, generator):
        super().__init__()
        self.p, self.generator = p, generator

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        if self.p == 1:
            return 0 * x
        n = x.numel()
        words = torch.empty(1 + (n + 3) // 4, dtype=torch.int64)
        words.random_(-(2**63), None, generator=self.generator)
        bits = np.frombuffer(words[1:].numpy().tobytes(), dtype=np.int16)[:n].astype(int) + 2**15
        bound = np.floor(self.p * 2**16 + (int(words[0]) / 2**64 + 0.5))
        mask = torch.tensor(bits >= bound).view(x.shape)
        return x * mask / (1 - self.p)


def replayed(hidden, p, seed):
    """Return the ordinary network that the one of this p and seed in a grid must be equal to."""
    model = mlp(64, hidden, 10, seed=seed)
    parts = [Replayed(p[0], mask_generator(p, seed, 0))]
    for layer in model:
        if isinstance(layer, nn.Dropout):
            i = len([part for part in parts if isinstance(part, Replayed)])
            layer = Replayed(p[i], mask_generator(p, seed, i))
        parts.append(layer)
    return nn.Sequential(*parts)


def same(curves, where, other, atol):
    for name in vars(other):
        assert np.allclose(getattr(curves, name)[where], getattr(other, name), atol=atol), name


# --- the same numbers as the plain loop


@pytest.mark.parametrize("hidden", [(20,), (30, 20), (12, 16, 14)])
def test_without_dropout_a_network_is_that_of_the_plain_loop(hidden):
    found = train_grid(FEW, hidden, ps=[0.0], seeds=[5], **PLAN)
    plain = train(mlp(64, hidden, 10, seed=5), FEW, seed=5, **PLAN)
    same(found.curves, (0, 0), plain.curves, atol=1e-4)
    assert torch.allclose(weights(found.network(0, 0)), weights(plain.model), atol=1e-4)


def test_with_dropout_each_network_is_that_of_the_plain_loop_under_the_same_masks():
    ps = [0.0, 0.2, (0.2, 0.5), (0.1, 0.5, 0.0), (0.0, 1.0, 0.5), 0.99]
    found = train_grid(FEW, (30, 20), ps, seeds=[3, 8], **PLAN)
    for i, p in enumerate(found.ps):
        for j, seed in enumerate(found.seeds):
            plain = train(replayed((30, 20), p, seed), FEW, seed=seed, **PLAN)
            same(found.curves, (i, j), plain.curves, atol=2e-4)
            ours = weights(found.network(i, j))
            assert torch.allclose(ours, weights(plain.model), atol=2e-4), (p, seed)


def test_weight_decay_and_max_norm_are_those_of_the_plain_loop():
    plan = {**PLAN, "weight_decay": 0.03, "max_norm": 0.4}
    found = train_grid(FEW, (30, 20), [0.0, 0.5], seeds=[3, 8], **plan)
    for i, p in enumerate(found.ps):
        for j, seed in enumerate(found.seeds):
            plain = train(replayed((30, 20), p, seed), FEW, seed=seed, **plan)
            same(found.curves, (i, j), plain.curves, atol=2e-4)
            norms = found.network(i, j)[0].weight.norm(dim=1)
            assert 0.3 < norms.max() < 0.4 + 1e-5  # they begin near 1/√3


def test_the_distribution_is_that_of_pytorchs_dropout():
    """Means of 40 networks each; 5 standard errors fail once in 1.7 million, for 3 numbers."""
    seeds, plan = 40, {"epochs": 3, "lr": 0.1, "progress": None}
    found = train_grid(FEW, (16,), [0.5], seeds, **plan).curves
    plain = [
        train(mlp(64, (16,), 10, p=0.5, seed=100 + s), FEW, seed=100 + s, **plan).curves
        for s in range(seeds)
    ]
    for name in ("running_loss", "train_loss", "test_accuracy"):
        ours = getattr(found, name)[0, :, -1]
        theirs = np.array([getattr(curves, name)[-1] for curves in plain])
        error = np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / seeds)
        assert abs(ours.mean() - theirs.mean()) < 5 * error, name


def test_a_network_is_the_same_whatever_is_trained_beside_it():
    beside = train_grid(FEW, (20, 20), [0.8, (0.2, 0.5), (0.3, 0.5, 0.1)], [4, 9, 1], **PLAN)
    alone = train_grid(FEW, (20, 20), [(0.2, 0.5)], [9], **PLAN)
    same(
        beside.curves,
        (1, 1),
        type(alone.curves)(*(v[0, 0] for v in vars(alone.curves).values())),
        1e-4,
    )
    assert torch.allclose(weights(beside.network(1, 1)), weights(alone.network(0, 0)), atol=1e-4)


def test_a_second_call_starts_again():
    once, again = (train_grid(FEW, (20,), [0.5], 2, **PLAN) for _ in range(2))
    assert np.array_equal(once.curves.test_loss, again.curves.test_loss)


# --- what is random


def before_training(**more):
    found = train_grid(FEW, (20,), [0.0, 0.5], 2, epochs=1, lr=1e-12, progress=None, **more)
    return [[weights(found.network(p, s)) for s in (0, 1)] for p in (0, 1)]


def test_paired_networks_share_first_weights_and_unpaired_ones_do_not():
    paired, unpaired = before_training(), before_training(paired=False)
    assert torch.allclose(paired[0][0], paired[1][0], atol=1e-6)
    assert torch.allclose(paired[0][0], weights(mlp(64, (20,), 10, seed=0)), atol=1e-6)
    assert not torch.allclose(paired[0][0], paired[0][1], atol=0.01)
    assert not torch.allclose(unpaired[0][0], unpaired[1][0], atol=0.01)


@pytest.mark.parametrize("p", [0.0, 1e-5, 0.01, 1 / 3, 0.5, 0.99, 1 - 1e-5])
def test_each_unit_is_dropped_with_probability_p(p):
    """Two networks, 50 steps, 200 × 100 units; 5 standard deviations fail once in 1.7 million."""
    masks = Masks([((0.0, p), 0), ((0.0, p), 1)], [1, 100], torch.device("cpu"))
    factors = masks.drawn(1, rows=200, steps=50)
    assert set(factors.unique().tolist()) <= {0.0, np.float32(1 / (1 - p))}
    n, dropped = factors.numel(), (factors == 0).sum().item()
    assert abs(dropped - n * p) <= 5 * np.sqrt(n * p * (1 - p))


def test_masks_of_networks_layers_steps_rows_and_units_are_independent():
    """Each correlation of n pairs has a standard deviation of 1/√n; bound 5, five of them."""
    networks = [((0.0, 0.5, 0.5), 0), ((0.0, 0.5, 0.5), 1)]
    masks = Masks(networks, [1, 60, 60], torch.device("cpu"))
    signs = [masks.drawn(layer, rows=50, steps=40).double() - 1 for layer in (1, 2)]
    first = signs[0]
    for a, b in [
        (first[0], first[1]),
        (first, signs[1]),
        (first[:, :-1], first[:, 1:]),
        (first[:, :, :-1], first[:, :, 1:]),
        (first[..., :-1], first[..., 1:]),
    ]:
        assert abs((a * b).mean()) < 5 / np.sqrt(a.numel())


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_where_nothing_is_drawn_what_lies_in_memory_changes_nothing(p, monkeypatch):
    empty = torch.empty

    def extreme(*shape, **more):
        """Let the bounds be as high and the units as low as can be."""
        found = empty(*shape, **more)
        if found.dtype == torch.int64:
            found.fill_(-(2**63))[..., 0] = 2**63 - 1
        return found

    monkeypatch.setattr(torch, "empty", extreme)
    masks = Masks([((0.0, p), 0), ((0.0, 0.5), 0)], [1, 100], torch.device("cpu"))
    assert (masks.drawn(1, rows=20, steps=2)[0] == 1 - p).all()


def test_masks_do_not_depend_on_how_many_steps_are_drawn_at_once(monkeypatch):
    many = train_grid(FEW, (20,), [0.5], 2, **PLAN).curves.test_loss
    monkeypatch.setattr(descent, "STEPS_AT_ONCE", 1)
    assert np.allclose(train_grid(FEW, (20,), [0.5], 2, **PLAN).curves.test_loss, many, atol=1e-5)


# --- a stack of networks


def test_a_stack_gives_what_its_networks_give():
    nets = [mlp(64, (20, 30), 10, p=0.5, seed=seed).eval() for seed in range(3)]
    stack, X = Stack(nets), torch.rand(7, 64)
    assert len(stack) == 3 and stack.widths == [20, 30]
    with torch.no_grad():
        expected = torch.stack([net(X) for net in nets])
        assert torch.allclose(stack.logits(X), expected, atol=1e-6)
        own = torch.rand(3, 7, 64)
        expected = torch.stack([net(x) for net, x in zip(nets, own, strict=True)])
        assert torch.allclose(stack.logits(own), expected, atol=1e-6)
        hidden = next(iter(stack.layers(X)))
        assert torch.allclose(hidden[1], nets[1][:2](X), atol=1e-6)
    assert torch.equal(weights(stack.network(2)), weights(nets[2]))


def test_ties_and_nan_are_scored_as_in_the_plain_loop():
    """Of equal logits the first counts; nan is above all."""
    logits = torch.tensor(
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, np.nan, 2.0], [1.0, np.nan, 2.0]]
    )
    y = torch.tensor([0, 1, 1, 2])
    _, right = stack.losses_and_right(logits[:, None], y[:, None])
    plain = [
        score(Given(row[None]), torch.zeros(1, 1), y[i : i + 1])[1] for i, row in enumerate(logits)
    ]
    assert right.tolist() == plain == [1, 0, 1, 0]


class Given(nn.Module):
    """A network whose logits are what they are."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, _):
        return self.logits


def test_factors_multiply_the_hidden_units():
    net, X = mlp(64, (20, 30), 10, seed=0), torch.rand(7, 64)
    factors = [torch.rand(1, 1, 20), torch.rand(1, 7, 30)]
    with torch.no_grad():
        h = torch.relu(net[0](X)) * factors[0][0]
        expected = net[6](torch.relu(net[3](h)) * factors[1][0])
        assert torch.allclose(Stack([net]).logits(X, factors)[0], expected, atol=1e-6)


def test_scores_do_not_depend_on_how_many_rows_are_taken_at_once(monkeypatch):
    nets = [mlp(64, (20,), 10, seed=seed).eval() for seed in range(2)]
    X, y = torch.tensor(FEW.X_test).float(), torch.tensor(FEW.y_test)
    loss, accuracy = Stack(nets).score(X, y)
    for i, net in enumerate(nets):
        logits = net(X)
        assert loss[i] == pytest.approx(nn.functional.cross_entropy(logits, y).item(), rel=1e-5)
        assert accuracy[i] == (logits.argmax(1) == y).double().mean()
    monkeypatch.setattr(stack, "ROWS_AT_ONCE", 7)
    again = Stack(nets).score(X, y)
    assert np.allclose(again[0], loss) and np.array_equal(again[1], accuracy)


def test_a_pickled_stack_still_shares_its_numbers():
    stack = pickle.loads(pickle.dumps(Stack([mlp(4, (3,), 2)])))
    stack.flat.zero_()
    assert not stack.weights[0].any() and not stack.biases[1].any()


# --- interrupts and tasks


def test_an_interrupt_keeps_the_finished_epochs(capsys):
    plan = {**PLAN, "epochs": 5}
    stopped = train_grid(FEW, (20,), [0, 0.5], 2, **{**plan, "progress": stopping_after(2)})
    short = train_grid(FEW, (20,), [0, 0.5], 2, **{**plan, "epochs": 2})
    assert stopped.curves.test_loss.shape == (2, 2, 2)
    assert torch.equal(stopped.stack.flat, short.stack.flat)
    assert "the first 2 of 5 epochs are kept" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        train_grid(FEW, (20,), [0.5], 2, **{**PLAN, "progress": stopping_after(0)})


@pytest.fixture
def small_tasks(monkeypatch):
    """Two seeds of two p fill a task."""
    monkeypatch.setattr(module, "NETWORKS_AT_ONCE", 4)
    return train_grid(FEW, (20,), [0, 0.5], 5, **PLAN)


def equal(a, b):
    assert a.seeds == b.seeds and a.ps == b.ps
    for name in vars(a.curves):
        assert np.array_equal(getattr(a.curves, name), getattr(b.curves, name))
    assert torch.equal(a.stack.flat, b.stack.flat)


def test_tasks_give_what_one_program_gives(small_tasks, monkeypatch):
    monkeypatch.undo()
    whole = train_grid(FEW, (20,), [0, 0.5], 5, **PLAN)
    assert small_tasks.seeds == whole.seeds == (0, 1, 2, 3, 4)
    assert np.allclose(small_tasks.curves.test_loss, whole.curves.test_loss, atol=1e-4)
    assert torch.allclose(small_tasks.stack.flat, whole.stack.flat, atol=1e-4)
    assert torch.equal(weights(small_tasks.network(1, 4)), weights(small_tasks.stack.network(9)))


def test_tasks_are_joined_on_the_device_that_was_asked_for(small_tasks):
    joined = module._joined([small_tasks, small_tasks], torch.device("meta"))
    assert joined.stack.flat.device.type == "meta"


def test_an_interrupt_keeps_the_finished_tasks(small_tasks):
    plan = {**PLAN, "progress": stopping_after(2)}
    stopped = train_grid(FEW, (20,), [0, 0.5], 5, **plan)
    assert stopped.seeds == (0, 1, 2, 3)
    assert np.array_equal(stopped.curves.test_loss, small_tasks.curves.test_loss[:, :4])
    with pytest.raises(KeyboardInterrupt):
        train_grid(FEW, (20,), [0, 0.5], 5, **{**PLAN, "progress": stopping_after(0)})


def test_an_interrupt_within_a_task_keeps_those_before_it(small_tasks, monkeypatch):
    real, tasks = module.run_epochs, []

    def run_epochs(epochs, *more):
        tasks.append(1)
        return real(1 if len(tasks) == 2 else epochs, *more)  # the second ends early

    monkeypatch.setattr(module, "run_epochs", run_epochs)
    stopped = train_grid(FEW, (20,), [0, 0.5], 5, **PLAN)
    assert stopped.seeds == (0, 1) and len(tasks) == 2


def test_other_workers_give_the_same(small_tasks):
    """One thread each, here and there: with more, PyTorch may add numbers in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        here = train_grid(FEW, (20,), [0, 0.5], 5, **PLAN)
        with joblib.parallel_config(backend="threading", n_jobs=2):
            equal(train_grid(FEW, (20,), [0, 0.5], 5, **PLAN), here)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.soak
def test_a_cluster_gives_the_same(small_tasks):
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    )
    with cluster, Client(cluster) as client:
        assert len(client.scheduler_info()["workers"]) == 2
        with joblib.parallel_config(backend="dask"):
            there = train_grid(FEW, (20,), [0, 0.5], 5, **PLAN)
        used = client.run(lambda: "dlcourse.grid" in sys.modules)
    assert any(used.values())  # it was trained there
    assert there.seeds == small_tasks.seeds
    assert np.allclose(there.curves.test_loss, small_tasks.curves.test_loss, atol=1e-5)
    assert torch.allclose(there.stack.flat, small_tasks.stack.flat, atol=1e-5)


# --- bad input


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"ps": []}, ValueError, r"ps must hold at least one p to train with, got \[\]"),
        ({"ps": 0.5}, TypeError, r"got 0.5 \(\[0.5\]\?\)"),
        ({"ps": [50]}, ValueError, r"got 50 \(a percentage\?\)"),
        ({"ps": [(0.1, 0.2, 0.3)]}, ValueError, r"1 \(one a hidden layer\) or 2 .*got 3"),
        ({"ps": [()]}, ValueError, "got 0"),
        ({"ps": "0.5"}, TypeError, "ps must hold"),
        ({"seeds": 0}, ValueError, "seeds must be an int >= 1, got 0"),
        ({"seeds": []}, ValueError, r"at least one seed, got \[\]"),
        ({"seeds": [0, -1]}, ValueError, "seed must be an int >= 0, got -1"),
        ({"seeds": 1.5}, TypeError, "seeds must be an int >= 1, got 1.5"),
        ({"epochs": -1}, ValueError, "epochs must be an int >= 1, got -1"),
        ({"hidden": 64}, TypeError, r"got 64 \(\(64,\)\?\)"),
        ({"hidden": ()}, ValueError, "hidden must hold"),
        ({"paired": "yes"}, TypeError, "paired must be True or False, got 'yes'"),
        ({"classes": 5}, ValueError, "ints from 0 to 4"),
        ({"device": "tpu"}, ValueError, "device must be"),
        ({"data": made([0, 12])}, ValueError, "from 0 to 9, got 12"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(more, error, words):
    arguments = {"data": FEW, "hidden": (5,), "ps": [0.5], "seeds": 2, "epochs": 1, **more}
    with pytest.raises(error, match=words):
        train_grid(**arguments, progress=None)
