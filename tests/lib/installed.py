'''An installed nfbus in a folder of its own, and plugins built outside of the tree against it.'''

import pathlib
import shutil
import subprocess
import tempfile

from nfbustest import NFBUS_BIN, REPOSITORY

BUILD = NFBUS_BIN.parent.parent
OUTSIDE = REPOSITORY / "tests/integration/outside"


def run(*argv, cwd=None):
    """Runs a command that must do its work; returns all that it said."""
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, cwd=cwd)
    if done.returncode != 0:
        raise AssertionError(f"{argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Installed:
    """close() removes it all."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nfbustest-sdk-")).resolve()
        self.folder.chmod(0o755)
        self.prefix = self.folder / "prefix"
        self.program = self.prefix / "bin/nfbus"
        run("cmake", "--install", BUILD, "--prefix", self.prefix)

    def close(self):
        shutil.rmtree(self.folder)

    def build(self, source):
        """Builds the plugin of a folder, and installs it beside the program's own."""
        build = self.folder / f"build-{source.name}"
        warnings = "-Wall -Wextra -Wpedantic -Werror"
        run("cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DCMAKE_BUILD_TYPE=Release",
            f"-DCMAKE_CXX_FLAGS={warnings}", f"-DCMAKE_C_FLAGS={warnings}")
        run("cmake", "--build", build)
        run("cmake", "--install", build, "--prefix", self.prefix)

    def config(self, name, text):
        """A configuration's file; @DIR@ stands for the folder."""
        path = self.folder / name
        path.write_text(text.replace("@DIR@", str(self.folder)))
        path.chmod(0o644)
        return path
