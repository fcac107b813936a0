"""How different two pictures look: MS-SSIM that fits small crops, and features of a ResNet-50."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from licgate.errors import TrainingError
from licgate.train.tensorfile import load_tensor_file

LEVEL_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11
SIGMA = 1.5
C1, C2 = 0.01**2, 0.03**2
FEATURE_STAGES = ("layer2", "layer3", "layer4")
"""Layers 3, 4 and 5 of He et al. 2016 (conv3_x to conv5_x) as torchvision calls them."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def _blur(x: Tensor, window: Tensor) -> Tensor:
    channels = x.shape[1]
    x = F.conv2d(x, window.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(x, window.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """Multi-scale structural similarity (Wang et al. 2003) with as many of the five levels as the size allows.

    Five levels need sides of more than 160 pixels; with fewer, their weights are brought back to a sum of 1.

    Parameters
    ----------
    x, y : Tensor
        float32 (B, C, H, W) in 0..1, sides of at least 11 pixels.

    Returns
    -------
    Tensor
        Mean over the batch, at most 1.
    """
    side = min(x.shape[2:])
    levels = max(1, sum(side > (WINDOW - 1) * 2**i for i in range(len(LEVEL_WEIGHTS))))
    at = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    window = torch.exp(-(at**2) / (2 * SIGMA**2))
    window = window / window.sum()
    result = x.new_ones(x.shape[:2])
    for level in range(levels):
        mean_x, mean_y = _blur(x, window), _blur(y, window)
        var_x, var_y = _blur(x * x, window) - mean_x**2, _blur(y * y, window) - mean_y**2
        both = _blur(x * y, window) - mean_x * mean_y
        structure = (2 * both + C2) / (var_x + var_y + C2)
        if level == levels - 1:
            structure = structure * (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
        # The root of a negative number is none, and that of 0 has no gradient.
        factor = structure.mean(dim=(2, 3)).clamp_min(1e-4)
        result = result * factor ** (LEVEL_WEIGHTS[level] / sum(LEVEL_WEIGHTS[:levels]))
        if level < levels - 1:
            padding = [size % 2 for size in x.shape[2:]]
            x, y = (F.avg_pool2d(t, 2, padding=padding) for t in (x, y))
    return result.mean()


class StructuralDistance(nn.Module):
    """1 - MS-SSIM."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Compare two batches (B, 3, H, W) in 0..1."""
        return 1 - ms_ssim(x, y)


class _Bottleneck(nn.Module):
    """A residual block of ResNet-50 with torchvision's names; the stride is in the 3 x 3 convolution."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if stride != 1 or inputs != 4 * width:
            shortcut = nn.Conv2d(inputs, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        return F.relu(self.bn3(self.conv3(out)) + (x if self.downsample is None else self.downsample(x)))


class ResNetFeatures(nn.Module):
    """Feature maps of ResNet-50 (He et al. 2016) after layers 3, 4 and 5, and the distance of two pictures in them.

    Frozen; its batch normalisation always uses the stored statistics.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for number, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
            stage = []
            for block in range(blocks):
                stage.append(_Bottleneck(inputs, width, 2 if block == 0 and number > 1 else 1))
                inputs = 4 * width
            setattr(self, f"layer{number}", nn.Sequential(*stage))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(requires_grad=False).eval()

    def train(self, mode: bool = True) -> ResNetFeatures:
        """Stay in evaluation mode."""
        return super().train(False)

    def features(self, x: Tensor) -> list[Tensor]:
        """Give the three feature maps of pictures (B, 3, H, W) in 0..1."""
        x = F.relu(self.bn1(self.conv1((x - self.mean) / self.std)))
        x = F.max_pool2d(x, 3, 2, 1)
        found = []
        for name in ("layer1", *FEATURE_STAGES):
            x = getattr(self, name)(x)
            if name in FEATURE_STAGES:
                found.append(x)
        return found

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Sum the mean squared differences of the three feature maps."""
        pairs = zip(self.features(x), self.features(y), strict=True)
        return sum((F.mse_loss(a, b) for a, b in pairs), start=x.new_zeros(()))


def load_resnet(path: str | Path) -> ResNetFeatures:
    """Read the weights of a ResNet-50 from a file of tensors with torchvision's names (.pth or .safetensors).

    Raises
    ------
    TrainingError
        When the file is missing, unreadable or of another network.
    """
    path = Path(path)
    state = load_tensor_file(
        path,
        missing=f"ResNet-50 weights {path} do not exist",
        unreadable=f"ResNet-50 weights {path} are not readable: give a .pth or .safetensors file",
    )
    net = ResNetFeatures()
    try:
        net.load_state_dict({name: value for name, value in state.items() if not name.startswith("fc.")})
    except (RuntimeError, AttributeError, TypeError):
        raise TrainingError(f"file {path} does not hold the tensors of torchvision's resnet50") from None
    return net
