"""Builds the extension that fires the markers, with the markers' library inside.

The header and the static library come from a checkout (`cargo build --release -p sidecar-markers`), or from where
SIDECAR_INCLUDE (the folder of sidecar.h) and SIDECAR_LIBRARY (libsidecar_markers.a) say.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def include() -> str:
    folder = Path(os.environ.get("SIDECAR_INCLUDE", ROOT / "sidecar-markers" / "include"))
    if not (folder / "sidecar.h").is_file():
        sys.exit(f"sidecar.h is not in {folder}: set SIDECAR_INCLUDE to its folder")
    return str(folder)


def library() -> str:
    named = os.environ.get("SIDECAR_LIBRARY")
    builds = [ROOT / "target" / profile / "libsidecar_markers.a" for profile in ("release", "debug")]
    for path in [Path(named)] if named else builds:
        if path.is_file():
            return str(path)
    sys.exit(
        f"{named or builds[0]} is not there: run `cargo build --release -p sidecar-markers` in the checkout, "
        "or set SIDECAR_LIBRARY to libsidecar_markers.a"
    )


setup(
    ext_modules=[
        Extension(
            "sidecar_runtime._sidecar_native",
            ["src/_sidecar_native.c"],
            include_dirs=[include()],
            extra_objects=[library()],
            extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
            # The library's other functions are nobody else's business, and most of them are not needed.
            extra_link_args=["-Wl,--gc-sections", "-Wl,--exclude-libs,ALL"],
        )
    ]
)
