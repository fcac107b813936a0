"""State dicts as CompressAI's zoo has them."""

import numpy as np
import torch

N, M = 4, 6


PEDESTAL = 2.0**-36


def zoo_state(architecture, seed=0):
    """Return a random state dict as the zoo has it: shapes by hand, ``_matrix0`` names, buffers of the coder."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape, scale=1.0):
        return torch.randn(shape, generator=generator) * scale

    state = {}

    def conv(name, o, i, k, gain=1.0):
        state[f"{name}.weight"], state[f"{name}.bias"] = normal(o, i, k, k, scale=gain / (i * k * k) ** 0.5), normal(o)

    for part, ends in (("g_a", (3, N, N, N, M)), ("g_s", (M, N, N, N, 3))):
        for index in range(4):
            i, o = ends[index], ends[index + 1]
            pair = (o, i) if part == "g_a" else (i, o)
            conv(f"{part}.{2 * index}", *pair, 5, gain=30.0 if (part, index) == ("g_a", 3) else 1.0)
            state[f"{part}.{2 * index}.bias"] = normal(o)
            if index < 3:
                state[f"{part}.{2 * index + 1}.beta"] = 0.8 + 0.4 * torch.rand(N, generator=generator)
                state[f"{part}.{2 * index + 1}.gamma"] = 0.5 * torch.rand(N, N, generator=generator)
                state[f"{part}.{2 * index + 1}.beta_reparam.pedestal"] = torch.tensor([PEDESTAL])
                state[f"{part}.{2 * index + 1}.gamma_reparam.lower_bound.bound"] = torch.tensor([2.0**-18])
    wide = architecture != "bmshj2018-hyperprior"
    conv("h_a.0", N, M, 3, gain=0.3)
    conv("h_a.2", N, N, 5)
    conv("h_a.4", N, N, 5, gain=5.0)
    first, second, last = (M, 3 * M // 2, 2 * M) if wide else (N, N, M)
    conv("h_s.0", N, first, 5)
    state["h_s.0.bias"] = normal(first)
    conv("h_s.2", first, second, 5)
    state["h_s.2.bias"] = normal(second)
    conv("h_s.4", last, second, 3, gain=3.0)
    if architecture == "mbt2018":
        conv("context_prediction", 2 * M, M, 5)
        state["context_prediction.mask"] = torch.ones(2 * M, M, 5, 5)
        for index, (o, i) in enumerate(((10 * M // 3, 4 * M), (8 * M // 3, 10 * M // 3), (2 * M, 8 * M // 3))):
            conv(f"entropy_parameters.{2 * index}", o, i, 1, gain=2.0)
    widths = (1, 3, 3, 3, 3, 1)
    for i in range(5):
        state[f"entropy_bottleneck._matrix{i}"] = normal(N, widths[i + 1], widths[i])
        state[f"entropy_bottleneck._bias{i}"] = normal(N, widths[i + 1], 1)
        if i < 4:
            state[f"entropy_bottleneck._factor{i}"] = normal(N, widths[i + 1], 1)
    state["entropy_bottleneck.quantiles"] = torch.tensor([-10.0, 1.0, 10.0]).repeat(N, 1, 1)
    state["entropy_bottleneck.target"] = torch.zeros(3)
    state["entropy_bottleneck._offset"] = torch.zeros(N, dtype=torch.int32)
    state["entropy_bottleneck._quantized_cdf"] = torch.zeros(N, 9, dtype=torch.int32)
    state["entropy_bottleneck._cdf_length"] = torch.zeros(N, dtype=torch.int32)
    state["gaussian_conditional.scale_table"] = torch.ones(64)
    state["gaussian_conditional.lower_bound_scale.bound"] = torch.tensor([0.11])
    return state


def close(found, wanted):
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-3, atol=2e-4 * float(wanted.abs().max()))
