"""What each notebook begins with: `import course`.

It moves to the project's folder, wherever Jupyter was started, so that paths are the README's and
`scripts` can be imported; and it turns progress bars off, which are noise in what is stored.
"""

import html
import os
import sys
from functools import partialmethod
from pathlib import Path

from IPython.display import HTML

ROOT = Path(__file__).resolve().parent.parent

os.chdir(ROOT)
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
# tqdm's in a terminal, if it is set before the import; those of two libraries; and all others, which
# are tqdm's in a page.
for name in ("TQDM_DISABLE", "HF_DATASETS_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_PROGRESS_BARS"):
    os.environ.setdefault(name, "1")
import tqdm.auto  # noqa: E402

tqdm.auto.tqdm.__init__ = partialmethod(tqdm.auto.tqdm.__init__, disable=True)


def framed(page: str, height: int) -> HTML:
    """Return an HTML page to display in a frame of its own, `height` pixels high.

    Its scripts run there, but not on a forge, which shows stored outputs without their scripts.
    """
    source = html.escape(page, quote=True)
    style = f"width: 100%; height: {height}px; border: 0"
    return HTML(f'<div><iframe title="page" srcdoc="{source}" style="{style}"></iframe></div>')
