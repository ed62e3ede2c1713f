"""Dropout in PyTorch: a drop-in for `torch.nn.Dropout` that takes a generator, and is faster."""

from __future__ import annotations

from typing import Any

import torch

from dlcourse import _validate as check

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class Dropout(torch.nn.Dropout):
    """Drop each element of the input with probability p while training, scale by 1 / (1 - p).

    Parameters
    ----------
    p : float in [0, 1], the probability of dropping (to within 2**-32); may be set later
    inplace : bool, whether to overwrite the input
    generator : torch.Generator on the device of the input, or None for PyTorch's global one
        With the same seed a larger p drops the same elements and more.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it. In `forward` also if the
        input is not a tensor of floats, or lies on another device than the generator.

    Notes
    -----
    Input and output are tensors of one shape, dtype and device. In `eval`, and with p = 0, the
    input itself is returned. Inverted dropout: Srivastava et al. 2014, JMLR 15, sections 4 and 10
    (there p is the probability of keeping).

    Activation checkpointing, and `vmap` in chunks, restore the state of PyTorch's global generator,
    not that of `generator`; `torch.compile` breaks its graph at one, and export then needs fixed
    shapes. TorchScript, `torch.fx.symbolic_trace` and nested tensors are not supported.

    Examples
    --------
    >>> layer = Dropout(p=0.5, generator=torch.Generator().manual_seed(0))
    >>> layer
    Dropout(p=0.5, inplace=False)
    >>> layer(torch.ones(6)).unique()
    tensor([0., 2.])
    >>> layer.eval()(torch.ones(6))
    tensor([1., 1., 1., 1., 1., 1.])
    """

    def __init__(
        self, p: float = 0.5, inplace: bool = False, *, generator: torch.Generator | None = None
    ) -> None:
        """Check and keep the three arguments."""
        super().__init__(check.probability(p), check.flag(inplace, "inplace"))
        self.generator = generator

    @property
    def p(self) -> float:  # type: ignore[override]
        """The probability of dropping; setting it to anything else than that is an error."""
        return self._p

    @p.setter
    def p(self, value: float) -> None:
        self._p = check.probability(value)

    @property
    def generator(self) -> torch.Generator | None:
        """The generator that masks are drawn from; None is PyTorch's global one."""
        return self._generator

    @generator.setter
    def generator(self, value: torch.Generator | None) -> None:
        if value is not None and not isinstance(value, torch.Generator):
            raise TypeError(
                "generator must be a torch.Generator or None, "
                f"got {check.quoted(value)} (torch.Generator().manual_seed(seed)?)"
            )
        self._generator = value

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the input with some elements dropped, or the input itself in `eval`."""
        if not isinstance(input, torch.Tensor):
            raise TypeError(f"input must be a torch.Tensor, got {check.quoted(input)}")
        if not self.training or input.numel() == 0:
            return input
        if 0 < self.p < 1:
            return self._some_dropped(input)
        if self.generator is not None:
            # Moves on whatever p is, so that layers after this one see the same numbers.
            self._mask(input)
        return input if self.p == 0 else self._all_dropped(input)

    def _some_dropped(self, input: torch.Tensor) -> torch.Tensor:
        """Return input * mask / (1 - p), elementwise."""
        if input.dtype not in _FLOATS:
            raise TypeError(
                "input must be a tensor of floats (16, 32 or 64 bits), "
                f"got dtype {input.dtype} (input.float()?)"
            )
        mask, scale = self._mask(input), 1 / (1 - self.p)
        return input.mul_(mask).mul_(scale) if self.inplace else input * mask * scale

    def _all_dropped(self, input: torch.Tensor) -> torch.Tensor:
        """Return zeros that autograd knows to depend on the input, even where it is inf or nan."""
        # zero_ alone would do in place, but accepts expanded tensors, which nn.Dropout refuses.
        return (input.mul_(False) if self.inplace else input.clone()).zero_()

    def _mask(self, input: torch.Tensor) -> torch.Tensor:
        """Draw which elements are kept: 32 random bits each, compared with p."""
        if self.generator is not None and self.generator.device != input.device:
            raise ValueError(
                f"generator must be on the device of the input, {input.device}, "
                f"got one on {self.generator.device}"
            )
        n = input.numel()
        # A factory function, two elements a word: in-place draws do not work under vmap, and
        # randint in 32 bits takes twice as long. Shapes that are symbols (compile, export) take
        # neither generator=None nor a slice.
        chosen: dict[str, Any] = {} if self.generator is None else {"generator": self.generator}
        words = torch.randint(-(2**63), 2**63 - 1, (n // 2 + 1,), device=input.device, **chosen)
        bits = words.view(torch.int32).as_strided((n,), (1,)).view(input.shape)
        return bits >= min(round(self.p * 2**32), 2**32 - 1) - 2**31
