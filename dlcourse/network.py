"""A network of three layers with dropout in NumPy, its gradient written out by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse import _validate as check
from dlcourse.functional import dropout, dropout_backward, dropout_mask, vanilla_dropout

KINDS = ("inverted", "vanilla")
Masks = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Cache:
    """What the backward pass needs from the forward pass; arrays of (rows, units).

    Examples
    --------
    >>> _, cache = ThreeLayerNet((2, 3, 3, 2), rng=0).forward(np.ones((4, 2)), rng=1)
    >>> cache.h1.shape
    (4, 3)
    """

    X: np.ndarray
    active1: np.ndarray  # z1 > 0: where the first ReLU lets the gradient through
    mask1: np.ndarray | None  # None at test time
    h1: np.ndarray  # the first hidden layer, after dropout
    active2: np.ndarray
    mask2: np.ndarray | None
    h2: np.ndarray


class ThreeLayerNet:
    """Two hidden ReLU layers, each followed by dropout, and a softmax over the classes.

    All numbers are float64. Every row of a batch has masks of its own.

    Parameters
    ----------
    sizes : four ints >= 1: inputs, first hidden layer, second hidden layer, classes
    p : float in [0, 1], the probability of dropping a hidden unit
    kind : "inverted" scales by 1 / (1 - p) while training, "vanilla" by 1 - p at test time
    rng : None, int seed or numpy.random.Generator, for the first weights

    Attributes
    ----------
    params : dict of W1, b1, W2, b2, W3, b3, where W has the shape (units in, units out)

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    Dropout: Srivastava et al. 2014, JMLR 15, section 4. First weights: He et al. 2015,
    arXiv:1502.01852, equation 10, a normal distribution of variance 2 / units in.

    Examples
    --------
    >>> net = ThreeLayerNet((2, 8, 8, 2), p=0.25, rng=0)
    >>> X, y = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1])
    >>> rng = np.random.default_rng(1)
    >>> losses = [net.train_step(X, y, lr=0.1, rng=rng) for step in range(200)]
    >>> net.predict(X).argmax(axis=1)
    array([0, 1])
    """

    def __init__(
        self,
        sizes: tuple[int, ...] = (64, 100, 100, 10),
        p: float = 0.5,
        kind: str = "inverted",
        rng: Any = None,
    ) -> None:
        """Check the arguments and draw the first weights; the biases start at zero."""
        self.kind = check.one_of(kind, KINDS, "kind")
        self.sizes, self.p = check.layer_sizes(sizes), check.probability(p)
        self.params: dict[str, np.ndarray] = {}
        rng = check.generator(rng)
        for i in (1, 2, 3):
            n_in, n_out = self.sizes[i - 1 : i + 1]
            self.params[f"W{i}"] = rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out))
            self.params[f"b{i}"] = np.zeros(n_out)

    def forward(
        self, X: Any, training: bool = True, *, masks: Masks | None = None, rng: Any = None
    ) -> tuple[np.ndarray, Cache]:
        """Return the logits and what `backward` needs.

        Parameters
        ----------
        X : array (rows, inputs)
        training : bool, whether units are dropped
        masks : two bool arrays (rows, hidden units), True = kept, in place of drawn ones
        rng : None, int seed or numpy.random.Generator, for the masks

        Returns
        -------
        logits : array (rows, classes)
        cache : Cache

        Raises
        ------
        TypeError, ValueError
            If an argument is not what it must be, or masks and rng are both given.

        Notes
        -----
        The equations of Srivastava et al. 2014, JMLR 15, section 4.

        Examples
        --------
        >>> net = ThreeLayerNet((2, 3, 3, 2), rng=0)
        >>> logits, cache = net.forward(np.ones((4, 2)), training=False)
        >>> logits.shape
        (4, 2)
        """
        X, P = self._rows(X), self.params
        mask1, mask2 = self._masks(len(X), training, masks, rng)
        drop = dropout if self.kind == "inverted" else vanilla_dropout

        z1 = X @ P["W1"] + P["b1"]
        h1 = drop(np.maximum(z1, 0), self.p, training, mask=mask1)
        z2 = h1 @ P["W2"] + P["b2"]
        h2 = drop(np.maximum(z2, 0), self.p, training, mask=mask2)
        logits = h2 @ P["W3"] + P["b3"]
        return logits, Cache(X, z1 > 0, mask1, h1, z2 > 0, mask2, h2)

    def backward(self, d_logits: Any, cache: Cache) -> dict[str, np.ndarray]:
        """Return the gradient of the loss with respect to every parameter.

        Parameters
        ----------
        d_logits : array (rows, classes), the gradient with respect to the logits
        cache : Cache, from the forward pass

        Returns
        -------
        dict with the keys and shapes of `params`

        Raises
        ------
        TypeError, ValueError
            If an argument is not what it must be; the message quotes it.

        Notes
        -----
        The chain rule, last layer first: Srivastava et al. 2014, JMLR 15, section 5.1.

        Examples
        --------
        >>> net = ThreeLayerNet((2, 3, 3, 2), rng=0)
        >>> logits, cache = net.forward(np.ones((4, 2)), rng=1)
        >>> loss, d_logits = softmax_cross_entropy(logits, np.array([0, 1, 1, 0]))
        >>> net.backward(d_logits, cache)["W1"].shape
        (2, 3)
        """
        check.instance(cache, Cache, "cache", "the Cache of a forward pass")
        shape, given = (len(cache.X), self.sizes[-1]), d_logits
        d_logits = check.real_array(given, "d_logits")
        if d_logits.shape != shape:
            raise ValueError(
                f"d_logits must have the shape of the logits, {shape}, got {d_logits.shape}: "
                f"{check.quoted(given)}"
            )
        P, grads = self.params, {}
        grads["W3"], grads["b3"] = cache.h2.T @ d_logits, d_logits.sum(axis=0)
        d_z2 = self._dropped(d_logits @ P["W3"].T, cache.mask2) * cache.active2
        grads["W2"], grads["b2"] = cache.h1.T @ d_z2, d_z2.sum(axis=0)
        d_z1 = self._dropped(d_z2 @ P["W2"].T, cache.mask1) * cache.active1
        grads["W1"], grads["b1"] = cache.X.T @ d_z1, d_z1.sum(axis=0)
        return grads

    def train_step(
        self, X: Any, y: Any, lr: float = 0.1, *, masks: Masks | None = None, rng: Any = None
    ) -> float:
        """Move the parameters one step down the gradient; return the loss before the step.

        Parameters
        ----------
        X : array (rows, inputs)
        y : int array (rows,), the classes, counted from 0
        lr : float > 0, the learning rate
        masks, rng : as in `forward`

        Returns
        -------
        the mean cross-entropy of the rows in nats, with the units of this step dropped

        Raises
        ------
        TypeError, ValueError
            If an argument is not what it must be; the message quotes it.

        Notes
        -----
        Stochastic gradient descent: Srivastava et al. 2014, JMLR 15, section 5.1.

        Examples
        --------
        >>> net = ThreeLayerNet((2, 3, 3, 2), p=0.0, rng=0)
        >>> first, second = [net.train_step([[1.0, 2.0]], [1], lr=0.1) for step in range(2)]
        >>> second < first
        True
        """
        lr = check.positive(lr, "lr")
        logits, cache = self.forward(X, masks=masks, rng=rng)
        loss, d_logits = softmax_cross_entropy(logits, y)
        for name, grad in self.backward(d_logits, cache).items():
            self.params[name] -= lr * grad
        return loss

    def predict(self, X: Any) -> np.ndarray:
        """Return the probability of every class, with no unit dropped: the same at every call.

        Parameters
        ----------
        X : array (rows, inputs)

        Returns
        -------
        array (rows, classes); each row sums to 1

        Raises
        ------
        TypeError, ValueError
            If X is not an array (rows, inputs) of numbers.

        Notes
        -----
        The single network at test time of Srivastava et al. 2014, JMLR 15, section 4: a vanilla
        network multiplies its hidden units by 1 - p, an inverted one leaves them as they are.

        Examples
        --------
        >>> ThreeLayerNet((2, 3, 3, 2), rng=0).predict([[0.0, 0.0]])
        array([[0.5, 0.5]])
        """
        return softmax(self.forward(X, training=False)[0])

    def _dropped(self, grad: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """Take a gradient back through a dropout layer."""
        if self.kind == "inverted":
            return grad if mask is None else dropout_backward(grad, mask, self.p)
        # Vanilla dropout multiplies each unit by a number, and so does its gradient.
        return vanilla_dropout(grad, self.p, training=mask is not None, mask=mask)

    def _masks(
        self, rows: int, training: bool, masks: Masks | None, rng: Any
    ) -> Masks | tuple[None, None]:
        """Return the masks of the two hidden layers: those given, or drawn ones."""
        training, rng = check.flag(training, "training"), check.rng_or_mask(rng, masks, "masks")
        hidden: list[tuple[int, ...]] = [(rows, units) for units in self.sizes[1:3]]
        if masks is not None:
            mask1, mask2 = check.bool_masks(masks, hidden)
        elif training:
            # One generator for both: a seed would give two layers of one width the same mask.
            mask1, mask2 = (dropout_mask(shape, self.p, rng) for shape in hidden)
        return (mask1, mask2) if training else (None, None)

    def _rows(self, X: Any) -> np.ndarray:
        """Return X as a float64 array (rows, inputs)."""
        array = check.real_array(X, "X").astype(np.float64, copy=False)
        if array.ndim != 2 or array.shape[1] != self.sizes[0]:
            hint = " (one row: X[None, :]?)" if array.shape == self.sizes[:1] else ""
            raise ValueError(
                f"X must have the shape (rows, {self.sizes[0]}), got {array.shape}{hint}: "
                f"{check.quoted(X)}"
            )
        return array


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities exp(logit) / sum of exp(logits), row by row.

    Parameters
    ----------
    logits : array (rows, classes)

    Returns
    -------
    array (rows, classes); each row sums to 1

    Raises
    ------
    TypeError, ValueError
        If logits is no such array, or has no class.

    Notes
    -----
    Bishop 2006, Pattern Recognition and Machine Learning, equation 4.104.

    Examples
    --------
    >>> softmax(np.array([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """
    logits = check.table(logits, "logits", "(rows, classes)")
    if logits.shape[1] == 0:
        raise ValueError(f"logits must have at least one class, got shape {logits.shape}")
    # The largest logit is subtracted so that exp does not overflow; the ratio stays the same.
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_cross_entropy(logits: np.ndarray, y: Any) -> tuple[float, np.ndarray]:
    """Return the mean loss of the rows in nats and its gradient with respect to the logits.

    Parameters
    ----------
    logits : array (rows, classes)
    y : int array (rows,), the classes, counted from 0

    Returns
    -------
    loss : float
    d_logits : array (rows, classes)

    Raises
    ------
    TypeError, ValueError
        If logits is no such array, or y is not one class in range for every row.

    Notes
    -----
    Bishop 2006, Pattern Recognition and Machine Learning, equations 4.108 and 4.109.

    Examples
    --------
    >>> loss, d_logits = softmax_cross_entropy(np.array([[0.0, 0.0]]), np.array([1]))
    >>> round(loss, 4), d_logits
    (0.6931, array([[ 0.5, -0.5]]))
    """
    logits = check.table(logits, "logits", "(rows, classes)")
    rows, classes = logits.shape
    y = check.labels(y, rows, classes)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_p[np.arange(rows), y].mean()
    return float(loss), (np.exp(log_p) - np.eye(classes)[y]) / rows
