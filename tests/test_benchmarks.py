import torch

from benchmarks import training
from benchmarks.__main__ import cells
from benchmarks.rows import Row
from dlcourse.data import digits


def test_batched_autograd_trains_the_same_networks_as_the_grid(monkeypatch):
    monkeypatch.setattr(training, "EPOCHS", 10)
    data = digits(train_size=300)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        peer = training.batched_autograd(data, (32,)).double()
    ours = training.grid(data, (32,))
    # Welch's t with at least 7 degrees of freedom: of four, one beyond 6 once in 450 by chance
    error = ((ours.var(dim=1) + peer.var(dim=1)) / training.SEEDS).sqrt()
    assert ((ours - peer).mean(dim=1).abs() < 6 * error).all()
    assert peer[0].mean() > 0.85


def test_a_peer_that_was_late_is_shown_as_a_bound():
    row = Row("a key press", 20.0, 20_000.0, 1000.0, ">= 2", peer_is_late=True)
    assert cells(row, {})[2:4] == ("> 20,000 ms", "> 1,000×")
