"""A process that swaps a folder for a link and back until it is killed: swap_for_link.py FOLDER TARGET."""

import sys
from pathlib import Path

folder, target = Path(sys.argv[1]), Path(sys.argv[2])
aside = folder.with_name("aside")
while True:
    folder.rename(aside)
    folder.symlink_to(target)
    folder.unlink()
    aside.rename(folder)
