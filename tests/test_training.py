"""The readable trainer against a loop written out here; what it leaves alone; what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

from dlcourse import choosing_p, coadaptation, grid, overfitting, regulariser, training
from dlcourse.choosing_p import create_head, heads
from dlcourse.data import Dataset, digits
from dlcourse.training import batch_orders, checked_device, mlp, score, seeded, train

FEW = digits(train_size=130)


def weights(model):
    return parameters_to_vector(model.parameters()).detach()


def stopping_after(epochs):
    """Return a progress that an interrupt comes through."""

    def progress(iterable):
        for done, epoch in enumerate(iterable):
            if done == epochs:
                raise KeyboardInterrupt
            yield epoch

    return progress


def test_it_does_what_a_plain_loop_does():
    model = mlp(64, (20, 10), 10, p=0.0, seed=3)
    ours = train(model, FEW, epochs=4, batch_size=40, lr=0.2, momentum=0.5, seed=7, progress=None)

    X, y = torch.tensor(FEW.X_train).float(), torch.tensor(FEW.y_train)
    speeds = [torch.zeros_like(w) for w in model.parameters()]
    orders = batch_orders(130, 7)
    for epoch in range(4):
        order, losses, right = next(orders), [], 0
        for start in range(0, 130, 40):
            rows = order[start : start + 40]
            logits = model(X[rows])
            loss = nn.functional.nll_loss(logits.log_softmax(1), y[rows])
            for w, speed, grad in zip(
                model.parameters(),
                speeds,
                torch.autograd.grad(loss, list(model.parameters())),
                strict=True,
            ):
                speed.mul_(0.5).add_(grad)
                w.data -= 0.2 * speed
            losses += [loss.item()] * len(rows)
            right += int((logits.argmax(1) == y[rows]).sum())
        assert ours.curves.running_loss[epoch] == pytest.approx(np.mean(losses), rel=1e-5)
        assert ours.curves.running_accuracy[epoch] == right / 130
    assert torch.allclose(weights(ours.model), weights(model), atol=1e-5)
    logits = model(torch.tensor(FEW.X_test).float())
    assert ours.curves.test_accuracy[-1] == (logits.argmax(1).numpy() == FEW.y_test).mean()
    test_loss = nn.functional.cross_entropy(logits, torch.tensor(FEW.y_test)).item()
    assert ours.curves.test_loss[-1] == pytest.approx(test_loss, rel=1e-5)


def test_weight_decay_and_max_norm_are_pytorchs():
    """Against torch.renorm and the penalty written into the loss."""
    model = mlp(64, (20, 10), 10, seed=3)
    plan = {"epochs": 2, "batch_size": 40, "lr": 0.2, "momentum": 0.5}
    ours = train(model, FEW, weight_decay=0.03, max_norm=0.4, seed=7, progress=None, **plan)

    X, y = torch.tensor(FEW.X_train).float(), torch.tensor(FEW.y_train)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.5)
    orders = batch_orders(130, 7)
    for _ in range(2):
        for rows in next(orders).split(40):
            penalty = sum((w**2).sum() for w in model.parameters())
            loss = nn.functional.cross_entropy(model(X[rows]), y[rows]) + 0.015 * penalty
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for layer in (model[0], model[3]):
                layer.weight.data = torch.renorm(layer.weight.data, p=2, dim=0, maxnorm=0.4)
    assert torch.allclose(weights(ours.model), weights(model), atol=1e-5)
    norms = ours.model[0].weight.norm(dim=1)
    assert 0.3 < norms.max() < 0.4 + 1e-5  # they begin near 1/√3


def test_every_image_is_used_once_an_epoch_in_an_order_of_its_own():
    orders = batch_orders(50, seed=1)
    first, second = next(orders), next(orders)
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(50))
    assert not torch.equal(first, second)
    assert torch.equal(first, next(batch_orders(50, seed=1)))
    assert not torch.equal(first, next(batch_orders(50, seed=2)))


def test_calling_it_twice_does_not_go_on_training():
    model = mlp(64, (20,), 10, p=0.5, seed=0)
    before = weights(model).clone()
    once = train(model, FEW, epochs=2, progress=None)
    again = train(model, FEW, epochs=2, progress=None)
    assert torch.equal(weights(model), before)
    assert torch.equal(weights(once.model), weights(again.model))
    assert np.array_equal(once.curves.test_loss, again.curves.test_loss)
    onward = train(once.model, FEW, epochs=2, progress=None)
    assert onward.curves.running_loss[0] < once.curves.running_loss[1]


def test_dropout_is_on_while_training_and_off_while_scoring():
    """At p = 1 nothing is learnt by what stands before dropout, and scoring uses all units."""
    model = mlp(64, (20,), 10, p=1.0, seed=0)
    done = train(model, FEW, epochs=1, progress=None)
    assert torch.equal(done.model[0].weight, model[0].weight)
    assert not done.model.training
    logits = done.model(torch.tensor(FEW.X_train).float())
    assert logits.std(dim=0).max() > 0.01  # images are told apart
    right = (logits.argmax(1).numpy() == FEW.y_train).mean()
    assert done.curves.train_accuracy[0] == right
    loss = nn.functional.cross_entropy(logits, torch.tensor(FEW.y_train)).item()
    assert done.curves.train_loss[0] == pytest.approx(loss, rel=1e-5)


def test_the_seed_decides_masks_and_order_and_the_global_generator_is_left_alone():
    model = mlp(64, (20,), 10, p=0.5, seed=0)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = train(model, FEW, epochs=1, seed=1, progress=None)
    mlp(64, (20,), 10, seed=9)
    assert torch.equal(torch.rand(3), expected)
    other = train(model, FEW, epochs=1, seed=2, progress=None)
    assert not torch.equal(weights(first.model), weights(other.model))


def test_the_seed_decides_the_masks_whatever_the_order(monkeypatch):
    monkeypatch.setattr(training, "batch_orders", lambda rows, seed: batch_orders(rows, 0))
    for p in (0.0, 0.5):
        model = mlp(64, (20,), 10, p=p, seed=0)
        runs = [train(model, FEW, epochs=1, seed=seed, progress=None) for seed in (1, 2)]
        assert torch.equal(*[weights(run.model) for run in runs]) == (p == 0)


def test_no_generator_of_a_gpu_is_seeded_for_what_runs_on_the_cpu(monkeypatch):
    of_gpus: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", of_gpus.append)
    train(mlp(64, (20,), 10, p=0.5), FEW, epochs=1, progress=None)
    create_head(8, 2, seed=1)
    heads._trained_body.__wrapped__(1)
    assert of_gpus == []


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def test_generators_are_seeded_and_put_back(device):
    def states():
        return [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]

    where, before = checked_device(device), states()
    draws = []
    for _ in range(2):
        with seeded(3, where):
            draws.append(torch.rand(3, device=where))
    assert torch.equal(*draws)
    assert all(torch.equal(a, b) for a, b in zip(before, states(), strict=True))


def test_scoring_leaves_each_part_in_its_mode():
    model = mlp(64, (20, 20), 10, p=0.5).train()
    model[2].eval()
    before = [part.training for part in model.modules()]
    score(model, torch.ones(2, 64), torch.tensor([0, 1]))
    assert [part.training for part in model.modules()] == before
    with pytest.raises(ValueError, match="rows of 3 numbers"):
        score(model, torch.ones(2, 3), torch.tensor([0, 1]))
    assert [part.training for part in model.modules()] == before


def test_an_interrupt_keeps_the_finished_epochs(capsys):
    model = mlp(64, (20,), 10, p=0.5, seed=0)
    stopped = train(model, FEW, epochs=5, progress=stopping_after(2))
    short = train(model, FEW, epochs=2, progress=None)
    assert stopped.curves.epochs == 2
    assert torch.equal(weights(stopped.model), weights(short.model))
    assert "the first 2 of 5 epochs are kept" in capsys.readouterr().err


def test_an_interrupt_within_an_epoch_goes_back_to_the_last_finished_one():
    model, calls = mlp(64, (20,), 10, seed=0), []

    def count(*_):
        calls.append(1)
        if len(calls) == 12:  # one look at the classes, then 3 batches and 2 scores an epoch
            raise KeyboardInterrupt

    model.register_forward_hook(count)
    stopped = train(model, FEW, epochs=5, progress=None)
    calls.clear()
    assert stopped.curves.epochs == 2
    calls.extend([1] * 100)
    short = train(model, FEW, epochs=2, progress=None)
    assert torch.equal(weights(stopped.model), weights(short.model))


COMPARISONS = {
    "accuracies": lambda: regulariser.accuracies(
        FEW, [regulariser.Setting(), regulariser.Setting(weight_decay=0.01)], 2, epochs=4
    ),
    "cross_validate": lambda: choosing_p.cross_validate(
        lambda p, seed: mlp(64, (4,), 10, p=p, seed=seed), [FEW, FEW], [0, 0.5], None, epochs=4
    ),
    "networks of lesson 07": lambda: choosing_p.networks(8, 100, seed=71, ps=(0, 0.5)),
    "d2l": lambda: overfitting.d2l(FEW, hidden=(4, 4), seeds=2, epochs=4),
    "trained": lambda: overfitting.trained(71, images=300),
    "validation_scores": lambda: coadaptation.validation_scores(seeds=1),
    "frozen_body": lambda: choosing_p.frozen_body(seed=71),
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_half_trained_networks_are_not_compared(name, monkeypatch):
    real, calls = training.run_epochs, []

    def run_epochs(epochs, _progress, *more):
        calls.append(1)
        return real(epochs, stopping_after(1), *more)

    for module in (training, grid):
        monkeypatch.setattr(module, "run_epochs", run_epochs)
    with pytest.raises(KeyboardInterrupt, match="run this cell again"):
        COMPARISONS[name]()
    assert calls == [1]


def test_networks_without_all_seeds_are_not_compared(monkeypatch):
    monkeypatch.setattr(grid, "NETWORKS_AT_ONCE", 2)  # so each of 3 seeds is a task
    for seeds in (3, [5, 6, 7]):
        with pytest.raises(KeyboardInterrupt, match="run this cell again"):
            overfitting.d2l(FEW, hidden=(4, 4), seeds=seeds, epochs=1, progress=stopping_after(2))
        found = overfitting.d2l(FEW, hidden=(4, 4), seeds=seeds, epochs=1)
        assert found.test_accuracy.shape == (2, 3, 1)


def test_an_interrupt_before_the_first_epoch_is_passed_on():
    with pytest.raises(KeyboardInterrupt):
        train(mlp(64, (20,), 10), FEW, progress=stopping_after(0))


def test_first_weights_do_not_depend_on_p_and_are_pytorchs():
    plain, dropped = mlp(64, (20, 20), 10, seed=4), mlp(64, (20, 20), 10, p=(0.2, 0.5), seed=4)
    assert torch.equal(weights(plain), weights(dropped))
    with torch.random.fork_rng():
        torch.manual_seed(4)
        assert torch.equal(plain[0].weight, nn.Linear(64, 20).weight)
    assert [layer.p for layer in dropped if isinstance(layer, nn.Dropout)] == [0.2, 0.5]
    with_inputs = mlp(64, (20,), 10, p=(0.1, 0.5))
    assert isinstance(with_inputs[0], nn.Dropout) and with_inputs[0].p == 0.1


def made(y_train, y_test=(0, 1)):
    X = np.zeros((2, 64))
    wrong = np.zeros(2, bool)
    return Dataset("made", (8, 8), X, np.array(y_train), X, np.array(y_test), wrong)


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"epochs": 0}, ValueError, "epochs must be an int >= 1, got 0"),
        ({"epochs": -3}, ValueError, "epochs must be an int >= 1, got -3"),
        ({"epochs": 2.0}, TypeError, "epochs must be an int >= 1, got 2.0"),
        ({"batch_size": 0}, ValueError, "batch_size must be an int >= 1, got 0"),
        ({"batch_size": True}, TypeError, "batch_size must be an int >= 1, got True"),
        ({"lr": 0}, ValueError, "lr must be a number > 0, got 0"),
        ({"lr": "0.1"}, TypeError, "lr must be a number > 0, got '0.1'"),
        ({"momentum": 1}, ValueError, "momentum must be a number >= 0 and < 1, got 1"),
        ({"momentum": -0.1}, ValueError, "momentum must be a number >= 0, got -0.1"),
        ({"weight_decay": -1}, ValueError, "weight_decay must be a number >= 0, got -1"),
        ({"max_norm": 0}, ValueError, "max_norm must be a number > 0, got 0"),
        ({"max_norm": "3"}, TypeError, "max_norm must be a number > 0, got '3'"),
        ({"seed": -1}, ValueError, "seed must be an int >= 0, got -1"),
        ({"seed": None}, TypeError, "seed must be an int >= 0, got None"),
        ({"device": "gpu"}, ValueError, "device must be .*got 'gpu'"),
        ({"data": made([0, 10])}, ValueError, r"from 0 to 9, got 10 \(counted from 1\?\)"),
        ({"data": made([0, 1], [0, -1])}, ValueError, "from 0 to 9, got -1"),
        ({"data": made([0.0, 1.0])}, TypeError, "got dtype float64"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(more, error, words):
    with pytest.raises(error, match=words):
        train(mlp(64, (5,), 10), **{"data": FEW, "epochs": 1, "progress": None, **more})


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="PyTorch finds no CUDA device here"):
        train(mlp(64, (5,), 10), FEW, device="cuda")


@pytest.mark.parametrize(
    ("arguments", "more", "error", "words"),
    [
        ((64, 20, 10), {}, TypeError, r"hidden must hold the width.*got 20 \(\(20,\)\?\)"),
        ((64, (), 10), {}, ValueError, r"hidden must hold the width.*got \(\)"),
        ((64, (20, 0), 10), {}, ValueError, "a width in hidden must be an int >= 1, got 0"),
        ((0, (20,), 10), {}, ValueError, "inputs must be an int >= 1, got 0"),
        ((64, (20,), 10.0), {}, TypeError, "classes must be an int >= 1, got 10.0"),
        ((64, (20,), 10), {"p": 50}, ValueError, r"got 50 \(a percentage\?\)"),
        ((64, (20,), 10), {"p": ()}, ValueError, r"1 \(one a hidden layer\) or 2 .*got 0"),
        ((64, (20,), 10), {"p": (0.1, 0.2, 0.3)}, ValueError, r"got 3: \(0.1, 0.2, 0.3\)"),
        ((64, (20,), 10), {"p": "0.5"}, TypeError, "a string"),
        ((64, (20,), 10), {"seed": 0.5}, TypeError, "seed must be an int >= 0, got 0.5"),
    ],
)
def test_networks_that_cannot_be_are_refused(arguments, more, error, words):
    with pytest.raises(error, match=words):
        mlp(*arguments, **more)
