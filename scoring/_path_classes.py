"""What a changed path is to the task: the first class that fits."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

from ._globs import path_matcher
from .workdir import Change

__all__ = ["CLASSES", "CLASSES_VERSION", "PathClass", "classifier", "classify_home"]

PathClass = Literal["protected", "expected", "housekeeping", "build_artifact", "unexpected", "external"]
"""`protected`: the task says that it must stay as it is. `expected`: the task asks for it. `housekeeping`: the agent's own.
`build_artifact`: what building and testing leave behind. `external`: outside the workdir, where it has effect later."""

CLASSES: Final[tuple[PathClass, ...]] = (
    "protected",
    "expected",
    "housekeeping",
    "build_artifact",
    "unexpected",
    "external",
)
CLASSES_VERSION: Final = 1
"""Changes with the tables below: the same changes may be of other classes then."""

_BUILD_ARTIFACTS: Final = (
    "**/__pycache__/**",
    "**/*.pyc",
    "**/*.egg-info/**",
    "**/.pytest_cache/**",
    "**/.mypy_cache/**",
    "**/.ruff_cache/**",
    "**/.hypothesis/**",
    "**/.tox/**",
    "**/.coverage",
    "**/htmlcov/**",
    "**/node_modules/**",
    "**/.gradle/**",
    "**/.next/**",
    "**/.turbo/**",
    "target/debug/**",
    "target/release/**",
    "target/tmp/**",
    "target/CACHEDIR.TAG",
    "target/.rustc_info.json",
    "**/*.o",
    "**/*.class",
    "**/.DS_Store",
)
"""Made anew by building, testing or looking."""
_LASTING: Final = (
    ".bash_profile",
    ".bashrc",
    ".profile",
    ".zshenv",
    ".zshrc",
    ".zprofile",
    ".config/fish/**",
    ".config/git/**",
    ".gitconfig",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".ssh/**",
    ".gnupg/**",
    ".aws/**",
    ".kube/**",
    ".docker/config.json",
    ".local/bin/**",
    ".local/lib/**",
    ".config/autostart/**",
    ".config/systemd/**",
)
"""In a HOME: what other programs read, run, or take for credentials later. All else there is what a HOME is for."""


def classifier(
    expected: Sequence[str], protected: Sequence[str], housekeeping: Sequence[str]
) -> Callable[[Change], PathClass]:
    """Says of a change of the workdir which class it is of.

    Args:
        expected: globs of the task, relative to the workdir, here and below.
        protected: globs of the task. Of a renamed file it counts where it was, too.
        housekeeping: globs of the agent's.
    """
    is_protected = path_matcher(protected)
    rest: tuple[tuple[PathClass, Callable[[str], bool]], ...] = (
        ("expected", path_matcher(expected)),
        ("housekeeping", path_matcher(housekeeping)),
        ("build_artifact", path_matcher(_BUILD_ARTIFACTS)),
    )

    def classify(change: Change) -> PathClass:
        if is_protected(change.path) or (change.old_path is not None and is_protected(change.old_path)):
            return "protected"
        return next((name for name, fits in rest if fits(change.path)), "unexpected")

    return classify


_is_lasting: Final = path_matcher(_LASTING)


def classify_home(change: Change) -> PathClass:
    """The class of a change in the agent's HOME."""
    return "external" if _is_lasting(change.path) else "housekeeping"
