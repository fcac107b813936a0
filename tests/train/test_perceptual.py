"""Perceptual distances: MS-SSIM against another implementation, ResNet-50 by names and shapes."""

import pytest
import torch

from licgate.errors import TrainingError
from licgate.train.shrink.perceptual import ResNetFeatures, StructuralDistance, load_resnet, ms_ssim


def pair(side, seed=0):
    torch.manual_seed(seed)
    coarse = torch.rand(2, 3, side // 8 + 1, side // 8 + 1)
    x = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    return x, (x + 0.05 * torch.randn_like(x)).clamp(0, 1)


@pytest.mark.parametrize("side", [161, 192])
def test_five_levels_agree_with_another_implementation(side):
    other = pytest.importorskip("pytorch_msssim")
    x, y = pair(side)
    expected = other.ms_ssim(x, y, data_range=1.0)
    assert float(ms_ssim(x, y)) == pytest.approx(float(expected), abs=2e-4)
    assert float(expected) < 0.99


@pytest.mark.parametrize("side", [16, 64, 128])
def test_small_crops_use_fewer_levels(side):
    x, y = pair(side)
    assert float(ms_ssim(x, x)) == pytest.approx(1.0, abs=1e-5)
    near = float(StructuralDistance()(x, y))
    assert 0 < near < float(StructuralDistance()(x, torch.rand_like(x))) <= 1


def test_opposite_pictures_have_a_finite_gradient():
    x, _ = pair(64)
    y = (1 - x).requires_grad_(requires_grad=True)
    StructuralDistance()(x, y).backward()
    assert torch.isfinite(y.grad).all()


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory):
    torch.manual_seed(0)
    state = ResNetFeatures().state_dict()
    path = tmp_path_factory.mktemp("resnet") / "resnet50.pth"
    torch.save({**state, "fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}, path)
    return path


def test_resnet_reads_files_with_torchvisions_names(resnet_file):
    net = load_resnet(resnet_file)
    state = net.state_dict()
    shapes = {
        "conv1.weight": (64, 3, 7, 7),
        "bn1.running_mean": (64,),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer2.3.conv2.weight": (128, 128, 3, 3),
        "layer3.5.bn3.bias": (1024,),
        "layer4.0.downsample.1.running_var": (2048,),
        "layer4.2.conv3.weight": (2048, 512, 1, 1),
    }
    assert {name: tuple(state[name].shape) for name in shapes} == shapes
    # 25,557,032 parameters of ResNet-50 without the 2,049,000 of its classifier
    assert sum(p.numel() for p in net.parameters()) == 23_508_032
    assert not any(p.requires_grad for p in net.parameters())


def test_resnet_compares_three_maps_and_stays_in_evaluation_mode(resnet_file):
    net = load_resnet(resnet_file).train()
    assert not any(module.training for module in net.modules())
    x, y = pair(64)
    assert [tuple(f.shape) for f in net.features(x)] == [(2, 512, 8, 8), (2, 1024, 4, 4), (2, 2048, 2, 2)]
    assert float(net(x, x)) == 0
    y.requires_grad_(requires_grad=True)
    distance = net(x, y)
    distance.backward()
    assert float(distance.detach()) > 0
    assert float(y.grad.abs().max()) > 0


def test_files_that_are_no_resnet_are_one_line(tmp_path):
    with pytest.raises(TrainingError, match="do not exist"):
        load_resnet(tmp_path / "none.pth")
    for name in ("text.pth", "text.safetensors"):
        (tmp_path / name).write_text("text")
        with pytest.raises(TrainingError, match="are not readable"):
            load_resnet(tmp_path / name)
    for number, content in enumerate(({"weight": torch.ones(1)}, [1, 2])):
        torch.save(content, tmp_path / f"{number}.pth")
        with pytest.raises(TrainingError, match="does not hold the tensors of torchvision's resnet50") as caught:
            load_resnet(tmp_path / f"{number}.pth")
        assert "\n" not in str(caught.value)
