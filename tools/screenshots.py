"""Draw the pages in docs/images that show what a classifier and a language model think.

    python tools/screenshots.py [FOLDER]

trains both on the data that are shipped (some minutes), or takes the models `names` and `moby` of FOLDER, and draws
their pages with Chromium.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import elman

ROOT = Path(__file__).parents[1]
TRAINING = {
    "names": ["classify", "data/names_train.csv", "--no-bidirectional", "--hidden-size", "64", "--epochs", "10"],
    "moby": ["language", "data/moby_dick.txt", "--hidden-size", "96", "--embedding-size", "32", "--epochs", "1"],
}
PAGES = {
    "show_classifier": ("names", "Martinelli", 8, 1290),
    "show_language": ("moby", "Call me Ishmael. Some years ago, never mind how long precisely", 46, 1260),
}
WIDTH = 1100
COMMANDS = ("chromium", "chromium-browser", "google-chrome")


def main(folder: Path) -> None:
    browser = next(filter(None, map(shutil.which, COMMANDS)))
    for name, words in TRAINING.items():
        if not (folder / name).exists():
            command = [sys.executable, "-m", "elman", "train", *words, "--out", str(folder / name)]
            subprocess.run(command, check=True, cwd=ROOT)
    for picture, (name, text, step, height) in PAGES.items():
        page = folder / f"{picture}.html"
        trace = elman.load(folder / name).trace(text)
        trace.save_html(page, f"{name}: {trace.kind}", overwrite=True)  # as `elman show` does
        flags = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{height}"]
        shot = f"--screenshot={ROOT / 'docs/images' / picture}.png"
        subprocess.run([browser, *flags, shot, f"{page.as_uri()}#{step}"], check=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else temporary).resolve())
