"""What pyproject.toml cannot say: models, boards and sources of simulations beside the package are installed inside."""

from setuptools import find_packages, setup

BESIDE = {
    "models": ["*", "*/*"],
    "boards": [],
    "sim": ["*.cpp", "*.hpp", "ecp5/*.v", "verilog/*", "verilog/testbench/*.v"],
}
INSIDE = {folder: f"licgate._data.{folder}" for folder in BESIDE}  # where licgate/resources.py looks for them

setup(
    packages=[*find_packages(include=["licgate", "licgate.*"]), *INSIDE.values()],
    package_dir={inside: folder for folder, inside in INSIDE.items()},
    package_data={"licgate": ["py.typed"], **{INSIDE[folder]: files for folder, files in BESIDE.items()}},
    include_package_data=False,
)
