"""The model card: a README beside a manifest, written from what the manifest itself records."""

from __future__ import annotations

import os
from pathlib import Path

from licgate.manifest import Manifest
from licgate.train.recipe import crops_of

ROUNDING = {"compensated": "rounded so that errors make up for each other (GPTQ)", "nearest": "rounded to the nearest"}

FAMILIES = {
    "bmshj2018-hyperprior": "Scale hyperprior (Ballé et al. 2018)",
    "he2021-checkerboard": "Checkerboard context (He et al. 2021) on the scale hyperprior's backbone",
    "mbt2018-mean": "Mean-scale hyperprior (Minnen et al. 2018)",
    "mbt2018": "Autoregressive context (Minnen et al. 2018)",
}


def model_card(manifest: Manifest, *, command: str = "", notes: str = "") -> str:
    """Describe a quantised model in Markdown.

    Parameters
    ----------
    manifest : Manifest
        Quantised by `licgate.train.quant.quantize`.
    command : str
        The commands that made it, one a line.
    notes : str
        Further paragraphs.
    """
    recipe, how = manifest.provenance["training"], manifest.provenance["quantization"]
    bits = how["bits"]
    widths = [layer.out_channels for layer in manifest.g_a.layers if layer.kind == "conv2d"]
    channels = ", ".join(map(str, widths))
    lines = [
        f"# {manifest.name}",
        "",
        f"{FAMILIES[manifest.architecture]}, {_nonlinearity(manifest)}, g_a with {channels} channels.",
        "All transforms are integer networks; the entropy model is integer tables.",
        "",
        "## Numbers",
        "",
    ]
    lines += _results(manifest)
    lines += [
        "",
        (
            f"Widths in bits: activations {bits['activation']}, weights {bits['weight']}, GDN input {bits['gdn']}, γ "
            f"{bits['gamma']} unsigned, latents {bits['latent']} of which {manifest.latent_fraction_bits} are fraction."
        ),
    ]
    for layer, own in how["bits_of_layers"].items():
        lines.append(f"{layer}: activations {own['activation']}, weights {own['weight']}, GDN input {own['gdn']}.")
    lines += [
        "",
        "## Training",
        "",
        f"{_run(recipe)} {_loss(recipe)}",
        "",
        "## Quantisation",
        "",
        *_quantisation(how, corners=crops_of(recipe)["drawn"] > 0),
        "",
    ]
    lines += [
        "| layer | output | clip | pre-shift | accumulator bits |",
        "|---|---|---|---|---|",
    ]
    for transform in manifest.transforms.values():
        for layer in transform.layers:
            k = how["clip_sigma"].get(layer.name)
            clip = f"{k:.4g} σ" if k is not None else "none"
            fixed = " (fixed scale)" if layer is transform.layers[-1] else ""
            low, high = layer.requantize.clip
            lines.append(
                f"| {layer.name} | {layer.output} {low}..{high} | {clip}{fixed} | {layer.requantize.pre_shift} | "
                f"{layer.accumulator.bits} |"
            )
    if command:
        lines += ["", "## Commands", "", "```", *command.strip().splitlines(), "```"]
    if notes:
        lines += ["", "## Limits", "", notes.strip()]
    return "\n".join(lines) + "\n"


def _nonlinearity(manifest: Manifest) -> str:
    gdns = [layer for layer in manifest.g_a.layers if layer.kind == "gdn"]
    if not gdns:
        return "ReLU"
    return f"GDN in the {'x²/square root' if gdns[0].root else '|x|'} form"


def _run(recipe: dict) -> str:
    optimizer = recipe.get("optimizer", "adam").capitalize()
    return (
        f"{recipe.get('iterations_done', 0)} iterations of {recipe.get('batch')} crops of {recipe.get('crop')}² from "
        f"{recipe.get('images')} photographs{_crops(recipe)}, {optimizer} from {recipe.get('lr')} with cosine decay, "
        f"gradient clip 1.0, seed {recipe.get('seed')};"
    )


def _crops(recipe: dict) -> str:
    """What was done to crops, and which weights met them first."""
    kinds = {"reduced": "at half scale where the photograph is large enough", "drawn": "drawn instead"}
    parts = [f"{100 * recipe[key]:g} % of them {text}" for key, text in kinds.items() if recipe.get(key)]
    if recipe.get("start"):
        parts.append(f"starting from the weights of {recipe['start']}")
    return "".join(f", {part}" for part in parts)


def _loss(recipe: dict) -> str:
    precision = "bfloat16 autocast, likelihoods and loss float32" if recipe.get("bfloat16") else "float32"
    return (
        f"loss R + λ·255²·MSE with λ = {recipe.get('rate_lambda')}, {precision}, exponential average of the weights "
        f"({recipe.get('ema')})."
    )


def _quantisation(how: dict, *, corners: bool) -> list[str]:
    plain = " and on plain pictures of the eight strongest colours" if corners else ""
    method, rounding = how["method"], ROUNDING[how["rounding"]]
    text = (
        f"{method[:1].upper()}{method[1:]}, calibrated on {how['calibration_crops']} crops of 256² of the training "
        f"photographs{plain}. Weights symmetric per output channel, {rounding}; γ per row; channels before and "
        f"behind GDN equalised with strength {how['equalization']:g}."
    )
    if "fine_tuning" not in how:
        return [text]
    settings = how["settings"]
    scales = "trained" if settings["learn_scales"] else "from calibration"
    more = (
        f"Fine-tuned in integers: {_run(how['fine_tuning'])} regularisation of outlying weights "
        f"{settings['regularization']:g}, scales of activations {scales}."
    )
    if how["clip_sigma"]:
        more += f" The clip cuts something off in {len(how['clips_active'])} of {len(how['clip_sigma'])} layers."
    return [text, "", more]


def _results(manifest: Manifest) -> list[str]:
    measured = manifest.measured
    if "integer" not in measured:
        return ["Not measured."]
    rows = [
        (
            f"Means over {measured['images']} images of {measured['set']}; rate is the ideal code length under the "
            "entropy model, PSNR that of 8-bit RGB reconstructions."
        ),
        "",
        "| | bpp | PSNR (dB) |",
        "|---|---|---|",
    ]
    for key in ("float", "integer"):
        if key in measured:
            rows.append(f"| {key} | {measured[key]['bpp']:.4f} | {measured[key]['psnr']:.3f} |")
    if "difference" in measured:
        d = measured["difference"]
        rows.append(f"| integer against float | {d['rate_percent']:+.2f} % | {d['psnr_db']:+.3f} |")
        if "loss_percent" in d:
            rows += [
                "",
                f"At the slope λ, rate and distortion together cost {d['loss_percent']:.2f} % of the rate.",
            ]
    return rows


def write_card(path: str | Path, text: str) -> None:
    """Write a card to a temporary name, then rename it."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
