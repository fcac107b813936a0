"""Tiny models and folders of pictures."""

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from licgate.train.network.models import ModelConfig, build_model  # noqa: E402


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Return a folder of four small smooth pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for i in range(4):
        coarse = Image.fromarray(rng.integers(0, 256, (10, 14, 3), dtype=np.uint8))
        coarse.resize((112, 80), Image.Resampling.BICUBIC).save(folder / f"p{i}.png")
    return folder


@pytest.fixture(scope="session")
def squares(tmp_path_factory, pictures):
    """Return a folder of pictures as large as a calibration crop, so that calibration sees all of them, borders too."""
    folder = tmp_path_factory.mktemp("squares")
    for path in sorted(pictures.iterdir()):
        Image.open(path).crop((0, 0, 64, 64)).save(folder / path.name)
    return folder


@pytest.fixture
def make_model():
    """Return a function that makes a small random model whose parameters are far from their first values."""

    def make(seed=0, **config):
        torch.manual_seed(seed)
        model = build_model(ModelConfig(**{"n": 5, "m": 7, **config})).eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith(".gamma"):
                    parameter.copy_(torch.sqrt(0.02 + 0.3 * torch.rand_like(parameter)))
                elif name.endswith((".a", ".b")):
                    parameter.copy_(torch.randn_like(parameter))
            model.g_a[6].weight *= 30.0
            model.g_s[6].weight *= 0.02
            model.g_s[6].bias.fill_(0.5)
            model.h_s[4].bias.fill_(2.5)
        return model

    return make
