"""Set up and go, on a fresh machine: `python run.py demo`, `python run.py test`.

Installs requirements.txt, once, into the active virtual environment, or else into `.venv` here;
then runs a workflow or a command of project.yml, or the tests. Standard library only.
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
# The version all this was tested with. Installed only where there is no torch yet: a build for
# your GPU, or another of the range in requirements.txt, stays.
TORCH = "torch==2.13.0"


def environment() -> Path:
    """Return the interpreter of the active virtual environment, or of `.venv`, made if need be."""
    if sys.prefix != sys.base_prefix:
        return Path(sys.executable)
    folder = HERE / ".venv"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        print(f"making a virtual environment in {folder}", flush=True)
        venv.create(folder, with_pip=True)
    return python


def install(python: Path) -> None:
    """Install the requirements with pip, unless this very file was installed before."""
    query = "import sys; print(sys.prefix)"
    prefix = Path(subprocess.check_output([python, "-c", query], text=True).strip())
    stamp = prefix / "requirements.sha256"
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    print("installing requirements.txt (once; one to some minutes)", flush=True)
    pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    show = [python, "-m", "pip", "show", "--quiet", "torch"]
    if subprocess.run(show, stderr=subprocess.DEVNULL).returncode:
        subprocess.run([*pip, TORCH], check=True)
    subprocess.run([*pip, "-r", REQUIREMENTS], check=True)
    stamp.write_text(digest)


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__)
        return 0
    name, *options = sys.argv[1:]
    python = environment()
    try:
        install(python)
    except subprocess.CalledProcessError as error:
        print(f"pip could not install the requirements (status {error.returncode}); see above.")
        return 1
    if name == "test":
        # Two at a time, a file's tests together: half the time on two cores.
        command = ["pytest", "-n", "2", "--dist", "loadfile", *options]
    else:
        command = ["spacy", "project", "run", name, str(HERE), *options]
    return subprocess.run([python, "-m", *command], cwd=HERE).returncode


if __name__ == "__main__":
    sys.exit(main())
