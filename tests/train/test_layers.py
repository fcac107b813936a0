"""GDN against its formula, the bounds, the straight-through rounding."""

import numpy as np
import pytest
import torch

from licgate.train.network.layers import GDN, lower_bound, round_straight_through


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("form", ["abs", "square_root"])
def test_gdn_follows_its_formula_with_a_gamma_that_is_not_symmetric(form, inverse):
    channels = 4
    rng = np.random.default_rng(3)
    gdn = GDN(channels, form=form, inverse=inverse).double()
    with torch.no_grad():
        gdn.beta.copy_(torch.from_numpy(rng.uniform(0.5, 1.5, channels)))
        gdn.gamma.copy_(torch.from_numpy(rng.uniform(0.0, 1.0, (channels, channels))))
        gdn.a.copy_(torch.from_numpy(rng.normal(size=channels)))
        gdn.b.copy_(torch.from_numpy(rng.normal(size=channels)))
    x = rng.normal(size=(2, channels, 3, 5))
    beta = gdn.beta.detach().numpy() ** 2 - 2.0**-36
    gamma = np.maximum(gdn.gamma.detach().numpy(), 2.0**-18) ** 2 - 2.0**-36
    expected = np.empty_like(x)
    for n, i, h, w in np.ndindex(x.shape):
        size = [abs(v) if form == "abs" else v * v for v in x[n, :, h, w]]
        norm = beta[i] + sum(gamma[i, j] * size[j] for j in range(channels))
        norm = norm if form == "abs" else norm**0.5
        z = x[n, i, h, w] * norm if inverse else x[n, i, h, w] / norm
        expected[n, i, h, w] = gdn.a[i].item() * z + gdn.b[i].item()
    found = gdn(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    gdn.gamma.data.copy_(gdn.gamma.data.T.clone())
    assert not np.allclose(gdn(torch.from_numpy(x)).detach().numpy(), expected)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("form", ["abs", "square_root"])
def test_the_gradient_of_gdn_is_that_of_its_formula(form, inverse):
    torch.manual_seed(4)
    gdn = GDN(3, form=form, inverse=inverse).double()
    for parameter in gdn.parameters():
        parameter.data += 0.1 + 0.3 * torch.rand_like(parameter)
    x = torch.randn(2, 3, 2, 4, dtype=torch.float64, requires_grad=True)

    def function(x, *parameters):
        return torch.func.functional_call(gdn, dict(zip(names, parameters, strict=True)), (x,))

    names, values = zip(*gdn.named_parameters(), strict=True)
    assert torch.autograd.gradcheck(function, (x, *values))


def test_gdn_keeps_type_and_memory_format():
    x = torch.randn(2, 3, 4, 6).contiguous(memory_format=torch.channels_last)
    for dtype in (torch.float32, torch.bfloat16):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = GDN(3)(x.to(dtype))
        assert y.dtype == dtype
        assert y.stride() == x.stride()


def test_lower_bound_keeps_only_the_gradient_that_leads_back_over_it():
    x = torch.tensor([-1.0, -1.0, 2.0, 2.0], requires_grad=True)
    y = lower_bound(x, 0.5)
    y.backward(torch.tensor([1.0, -1.0, 1.0, -1.0]))
    np.testing.assert_array_equal(y.detach(), [0.5, 0.5, 2.0, 2.0])
    np.testing.assert_array_equal(x.grad, [0.0, -1.0, 1.0, -1.0])


def test_rounding_takes_halves_up_and_passes_the_gradient():
    x = torch.tensor([-1.5, -0.5, 0.5, 1.5, 2.4], requires_grad=True)
    y = round_straight_through(x)
    y.sum().backward()
    np.testing.assert_array_equal(y.detach(), [-1.0, 0.0, 1.0, 2.0, 2.0])
    np.testing.assert_array_equal(x.grad, np.ones(5))


def test_unknown_form_is_named():
    with pytest.raises(ValueError, match="'cube' is not one of abs, square_root"):
        GDN(3, form="cube")
