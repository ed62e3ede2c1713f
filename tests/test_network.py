"""The network's hand-written gradient against finite differences and PyTorch's autograd."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from dlcourse import ThreeLayerNet, dropout_mask
from dlcourse.network import KINDS, softmax, softmax_cross_entropy

SIZES, ROWS = (5, 7, 6, 4), 8
PARAMS = ["W1", "b1", "W2", "b2", "W3", "b3"]


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, SIZES[0])), rng.integers(0, SIZES[3], ROWS)


def make_net(kind="inverted", p=0.4, sizes=SIZES):
    net = ThreeLayerNet(sizes, p=p, kind=kind, rng=1)
    rng = np.random.default_rng(2)
    for i in (1, 2, 3):
        net.params[f"b{i}"] += rng.normal(0, 0.1, net.params[f"b{i}"].shape)
    return net


def make_masks(p=0.4):
    rng = np.random.default_rng(3)
    return tuple(dropout_mask((ROWS, units), p, rng) for units in SIZES[1:3])


def loss_and_gradients(net, X, y, **forward):
    logits, cache = net.forward(X, **forward)
    loss, d_logits = softmax_cross_entropy(logits, y)
    return loss, net.backward(d_logits, cache)


def torch_logits(net, X, params, training, masks):
    keep, inverted = 1 - net.p, net.kind == "inverted"

    def drop(h, mask):
        if training:
            return h * torch.tensor(mask) / (keep if inverted else 1)
        return h * (1 if inverted else keep)

    h1 = drop(torch.relu(torch.tensor(X) @ params["W1"] + params["b1"]), masks[0])
    h2 = drop(torch.relu(h1 @ params["W2"] + params["b2"]), masks[1])
    return h2 @ params["W3"] + params["b3"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("p", [0.0, 0.4, 0.8])
def test_loss_and_gradients_agree_with_autograd(kind, training, p, batch):
    (X, y), net, masks = batch, make_net(kind, p), make_masks(p)
    params = {name: torch.tensor(a, requires_grad=True) for name, a in net.params.items()}
    expected = torch.nn.functional.cross_entropy(
        torch_logits(net, X, params, training, masks), torch.tensor(y)
    )
    expected.backward()
    loss, grads = loss_and_gradients(net, X, y, training=training, masks=masks)
    assert loss == pytest.approx(expected.item(), abs=1e-10)
    assert list(grads) and set(grads) == set(PARAMS)
    for name in PARAMS:
        np.testing.assert_allclose(grads[name], params[name].grad, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PARAMS)
def test_gradients_are_slopes(kind, name, batch):
    (X, y), net, masks = batch, make_net(kind), make_masks()
    _, grads = loss_and_gradients(net, X, y, masks=masks)
    values, step = net.params[name], 1e-6
    slopes = np.empty_like(values)
    for i in np.ndindex(*values.shape):
        value, losses = values[i], []
        for values[i] in (value + step, value - step):
            losses.append(loss_and_gradients(net, X, y, masks=masks)[0])
        values[i] = value
        slopes[i] = (losses[0] - losses[1]) / (2 * step)
    assert np.abs(slopes).max() > 1e-3
    np.testing.assert_allclose(grads[name], slopes, rtol=0, atol=1e-8)


def test_relu_lets_no_gradient_through_at_0():
    net = ThreeLayerNet(SIZES, p=0, rng=1)  # biases of 0
    _, grads = loss_and_gradients(net, np.zeros((2, SIZES[0])), np.array([0, 0]))
    assert grads["b3"].all()
    assert not grads["b2"].any() and not grads["b1"].any()


def test_a_gradient_may_be_a_list(batch):
    (X, y), net = batch, make_net()
    logits, cache = net.forward(X, masks=make_masks())
    _, d_logits = softmax_cross_entropy(logits, y)
    as_array, as_list = net.backward(d_logits, cache), net.backward(d_logits.tolist(), cache)
    assert all(np.array_equal(as_array[name], as_list[name]) for name in PARAMS)


def test_p_1_leaves_the_last_bias_alone_to_learn(batch):
    X, y = batch
    for kind in KINDS:
        _, grads = loss_and_gradients(make_net(kind, p=1), X, y)
        assert all(np.any(grads[name]) == (name == "b3") for name in PARAMS)


@pytest.mark.parametrize("kind", KINDS)
def test_train_step_is_one_step_down_the_gradient(kind, batch):
    (X, y), net, masks = batch, make_net(kind), make_masks()
    before = {name: a.copy() for name, a in net.params.items()}
    loss, grads = loss_and_gradients(net, X, y, masks=masks)
    assert net.train_step(X, y, lr=0.3, masks=masks) == loss
    for name in PARAMS:
        np.testing.assert_allclose(net.params[name], before[name] - 0.3 * grads[name], atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_and_both_layers_have_their_own_masks(kind):
    net = ThreeLayerNet((5, 200, 200, 4), kind=kind, rng=0)
    _, cache = net.forward(np.ones((3, 5)), rng=1)
    rows = [row.tobytes() for mask in (cache.mask1, cache.mask2) for row in mask]
    assert len(set(rows)) == 6
    assert not np.any(cache.h1[~cache.mask1]) and not np.any(cache.h2[~cache.mask2])


def test_randomness_is_explicit(batch):
    X, y = batch
    net = make_net()
    same = [net.forward(X, rng=5)[0] for _ in range(2)]
    other = net.forward(X, rng=6)[0]
    assert np.array_equal(*same) and not np.array_equal(same[0], other)
    rng = np.random.default_rng(5)
    first, second = net.forward(X, rng=rng)[0], net.forward(X, rng=rng)[0]
    assert np.array_equal(first, same[0]) and not np.array_equal(first, second)
    assert not np.array_equal(net.forward(X)[0], net.forward(X)[0])
    losses = [make_net().train_step(X, y, rng=7) for _ in range(2)]
    assert losses[0] == losses[1]


def test_masks_are_those_of_dropout_mask(batch):
    X, _ = batch
    net, rng = make_net(), np.random.default_rng(3)
    masks = make_masks()
    drawn, given = net.forward(X, rng=rng)[1], net.forward(X, masks=masks)[1]
    for cache in (drawn, given):
        assert np.array_equal(cache.mask1, masks[0]) and np.array_equal(cache.mask2, masks[1])


@pytest.mark.parametrize("kind", KINDS)
def test_predict_is_the_softmax_of_the_test_time_network(kind, batch):
    X, _ = batch
    net = make_net(kind)
    params = {name: torch.tensor(a) for name, a in net.params.items()}
    expected = torch.softmax(torch_logits(net, X, params, False, (None, None)), dim=1)
    np.testing.assert_allclose(net.predict(X), expected, atol=1e-12)
    assert np.array_equal(net.predict(X), net.predict(X))


def test_first_weights_have_he_variance():
    # Chi-squared: 40,000 squares vary by 1/sqrt(20,000) = 0.7 %; 5 % is 7 sigma, alarm < 1e-11.
    net = ThreeLayerNet((200, 200, 200, 200), rng=8)
    for i in (1, 2, 3):
        assert np.mean(net.params[f"W{i}"] ** 2) == pytest.approx(2 / 200, rel=0.05)
        assert not np.any(net.params[f"b{i}"])
    assert not np.array_equal(net.params["W1"], net.params["W2"])


@pytest.mark.parametrize("kind", KINDS)
def test_learns_the_digits(kind):
    X, y = load_digits(return_X_y=True)
    X, rng = X / 16, np.random.default_rng(9)
    net = ThreeLayerNet((64, 50, 50, 10), p=0.2, kind=kind, rng=rng)
    for _ in range(600):
        rows = rng.choice(1200, 50, replace=False)
        net.train_step(X[rows], y[rows], lr=0.2, rng=rng)
    assert np.mean(net.predict(X[1200:]).argmax(axis=1) == y[1200:]) > 0.85


def test_softmax_neither_overflows_nor_loses_large_losses():
    logits = np.array([[1e4, 0.0], [-1e4, 0.0]])
    assert np.array_equal(softmax(logits), [[1, 0], [0, 1]])
    loss, d_logits = softmax_cross_entropy(logits, [1, 0])
    assert loss == 1e4
    assert np.array_equal(d_logits, [[0.5, -0.5], [-0.5, 0.5]])


def test_input_and_labels_are_left_alone(batch):
    X, y = batch
    kept = X.copy(), y.copy()
    make_net().train_step(X, y, rng=0)
    assert np.array_equal(X, kept[0]) and np.array_equal(y, kept[1])
    assert make_net().predict(np.ones((2, 5), np.float32)).dtype == np.float64
    assert make_net().predict(np.ones((0, 5))).shape == (0, 4)


X8, y8 = np.ones((ROWS, 5)), np.zeros(ROWS, int)
BAD = [
    (lambda net: ThreeLayerNet(kind="inverse"), ValueError, "got 'inverse'"),
    (lambda net: ThreeLayerNet(kind=None), ValueError, "kind must be 'inverted' or 'vanilla'"),
    (lambda net: ThreeLayerNet(p=50), ValueError, "got 50 (a percentage?)"),
    (lambda net: ThreeLayerNet((64, 10)), ValueError, "sizes must be four ints >= 1"),
    (lambda net: ThreeLayerNet((64, 10, 0, 10)), ValueError, "got (64, 10, 0, 10)"),
    (lambda net: ThreeLayerNet((64, 10.0, 10, 10)), TypeError, "got (64, 10.0, 10, 10)"),
    (lambda net: ThreeLayerNet(rng="a"), TypeError, "rng must be None, a seed >= 0"),
    (lambda net: net.forward(np.ones((ROWS, 6))), ValueError, "shape (rows, 5), got (8, 6)"),
    (lambda net: net.forward(np.ones(5)), ValueError, "got (5,) (one row: X[None, :]?)"),
    (lambda net: net.predict(np.ones(3)), ValueError, "X must have the shape (rows, 5), got (3,)"),
    (lambda net: net.predict("abc"), TypeError, "X must be an array of real numbers, got 'abc'"),
    (lambda net: net.forward(X8, training=1), TypeError, "training must be True or False, got 1"),
    (lambda net: net.forward(X8, masks=X8 > 0), TypeError, "masks must be 2 bool arrays, got"),
    (lambda net: net.forward(X8, masks=(X8,)), ValueError, "masks must be 2 bool arrays, got"),
    (lambda net: net.forward(X8, masks=(X8 > 0, X8 > 0)), ValueError, "(8, 7), got (8, 5)"),
    (lambda net: net.forward(X8, masks=make_masks(), rng=1), ValueError, "not both, got rng=1"),
    (lambda net: net.forward(X8, rng=-1), ValueError, "got -1"),
    (lambda net: net.train_step(X8, y8 + 4), ValueError, "got 4 (counted from 1?)"),
    (lambda net: net.train_step(X8, y8 - 1), ValueError, "ints from 0 to 3, got -1"),
    (lambda net: net.train_step(X8, y8[:3]), ValueError, "each of 8 rows, ints from 0 to 3, got"),
    (lambda net: net.train_step(X8, np.eye(4)[y8]), ValueError, "got shape (8, 4)"),
    (lambda net: net.train_step(X8, y8 * 1.0), TypeError, "got dtype float64"),
    (lambda net: net.train_step(X8, [[1], [2, 3]]), ValueError, "got [[1], [2, 3]]"),
    (lambda net: net.train_step(X8[:0], y8[:0]), ValueError, "at least one row"),
    (lambda net: net.train_step(X8, y8, lr=0), ValueError, "lr must be a number > 0, got 0"),
    (lambda net: net.train_step(X8, y8, lr=-0.1), ValueError, "got -0.1"),
    (lambda net: net.train_step(X8, y8, lr=float("nan")), ValueError, "got nan"),
    (lambda net: net.train_step(X8, y8, lr="0.1"), TypeError, "got '0.1'"),
    (lambda net: net.train_step(X8, y8, lr=True), TypeError, "got True"),
    (lambda net: net.backward(np.ones(4), net.forward(X8)[1]), ValueError, "(8, 4), got (4,)"),
    (lambda net: net.backward([[1.0] * 4], net.forward(X8)[1]), ValueError, "got (1, 4)"),
]


@pytest.mark.parametrize("call, error, message", BAD)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call(make_net())
