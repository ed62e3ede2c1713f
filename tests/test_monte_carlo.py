"""Only dropout layers of a model drop, of any kind; what cannot be reached is told."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcourse import Dropout
from dlcourse.monte_carlo import mc_dropout


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.body = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.ReLU(), Dropout(0.5))
        self.alpha, self.channels = nn.AlphaDropout(0.5), nn.Dropout2d(0.5)
        self.attention = nn.MultiheadAttention(4, 2, dropout=0.1)
        self.quiet = nn.MultiheadAttention(4, 2)
        self.lstm = nn.LSTM(4, 4, num_layers=2, dropout=0.1)
        self.one_layer = nn.GRU(4, 4)

    def forward(self, x):
        return self.body(self.norm(x))


def test_mc_dropout_switches_on_dropout_layers_of_every_kind_and_nothing_else():
    model = Mixed()
    model.body.eval()
    modes = [module.training for module in model.modules()]
    with mc_dropout(model) as reached:
        on = [name for name, module in model.named_modules() if module.training]
        assert on == ["body.1", "body.3", "alpha", "channels"] == list(reached.on)
        assert reached.missed == ("attention", "lstm")
        before = model.norm.running_mean.clone()
        assert not torch.equal(model(torch.ones(8, 4)), model(torch.ones(8, 4)))
        assert torch.equal(model.norm.running_mean, before)
    assert [module.training for module in model.modules()] == modes
    told = "dropout on: body.1, body.3, alpha, channels; seen but not reached: attention, lstm"
    assert repr(reached) == told


def test_mc_dropout_puts_back_after_an_error():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()).eval()
    with pytest.raises(RuntimeError, match="inside"), mc_dropout(model):
        raise RuntimeError("inside")
    assert not any(module.training for module in model.modules())
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize("name", ["Dropout", "Dropout1d", "Dropout3d", "FeatureAlphaDropout"])
def test_mc_dropout_on_a_model_that_is_a_layer(name):
    layer = getattr(nn, name)(0.5).eval()
    with mc_dropout(layer) as reached:
        assert layer.training
    assert reached.on == ("the model",) and not layer.training


def test_mc_dropout_reaches_the_dropout_layers_of_a_transformer():
    """The fast path of eval mode would leave them out without a word."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, batch_first=True)
    x = torch.ones(1, 3, 8)
    with torch.no_grad(), mc_dropout(layer) as reached:
        assert not torch.equal(layer(x), layer(x))
    assert reached.missed == ("self_attn",) and len(reached.on) == 3
    layer.eval()
    with torch.no_grad():
        assert torch.equal(layer(x), layer(x))


def test_mc_dropout_does_not_see_functional_dropout():
    class Hidden(nn.Module):
        def forward(self, x):
            return F.dropout(x, 0.5, training=self.training)

    model = Hidden()
    with mc_dropout(model) as reached:
        assert torch.equal(model(torch.ones(99)), torch.ones(99))
    assert repr(reached) == "dropout on: none; seen but not reached: none"


def test_mc_dropout_wants_a_module():
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, got 3"):
        with mc_dropout(3):
            pass
