"""The exception tree: every error a person meets is one of these, with a one-line message."""

__all__ = [
    "ERROR",
    "BuildError",
    "ConfigError",
    "DeviceError",
    "ImageError",
    "LicgateError",
    "ManifestError",
    "SimulationError",
    "StreamError",
    "TimingError",
    "ToolError",
    "TrainingError",
]


#: What the line of an error begins with.
ERROR = "licgate: error: "


class LicgateError(Exception):
    """Base of all errors meant for a person.

    The message is one line that names the thing, the value and the way out. The command line
    prints it after `ERROR` and exits with `exit_code`.
    """

    exit_code = 2


class ManifestError(LicgateError):
    """A manifest, or a part of one, breaks the contract.

    Parameters
    ----------
    message : str
        What is wrong, with the offending value.
    path : str
        Where it is wrong, e.g. ``layers[2].weight.bits``. Outer code adds its own part in front with `within`.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message, path)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message

    def within(self, outer: str) -> "ManifestError":
        """Return the same error seen from one level further out."""
        if not self.path:
            return ManifestError(self.message, outer)
        # an index belongs to the name before it; a file name is set apart by a colon of its own
        joint = "" if self.path.startswith("[") else ": " if outer.endswith((".json", ".safetensors")) else "."
        return ManifestError(self.message, f"{outer}{joint}{self.path}")


class ImageError(LicgateError):
    """An image cannot be read or has a form that cannot be used."""


class ConfigError(LicgateError):
    """A parameter or a combination of parameters makes no sense."""


class BuildError(LicgateError):
    """A build could not be finished."""


class ToolError(LicgateError):
    """An external tool is missing, too old, or failed."""


class TimingError(LicgateError):
    """A build finished but misses timing."""

    exit_code = 4


class DeviceError(LicgateError):
    """A device, real or simulated, does not do what its contract says."""


class StreamError(LicgateError):
    """A coded image is damaged, of another model, or of a newer version."""


class SimulationError(LicgateError):
    """A simulation could not be built, run or finished."""


class TrainingError(LicgateError):
    """Training or quantisation could not be done."""
