"""Snapshots of a large tree and their diff beside git's, in one run: `python tests/benchmarks/snapshot.py`.

Each round looks at the whole tree, changes some files in seven ways, looks again and compares; what is found must be what was
done. git adds the same tree to an empty repository that lies elsewhere, and tells the status after the same changes. The page
cache is warm for both: with a cold one the disk decides.
"""

import argparse
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

sys.path.insert(0, str(Path(__file__).parents[2]))

from tachograph.scoring.workdir import diff, snapshot, write_snapshot
from tests.benchmarks._snapshot_tree import change_tree, make_tree

TARGETS: Final = {"both passes": 2.5, "second pass": 0.7}
"""Seconds, for a hundred thousand files on two cores."""
ROWS: Final = {
    "first pass": "walk, read, hash, keep what is text / git add -A",
    "second pass": "walk, read what changed, write, diff / git status",
    "both passes": "",
    "of the second, the diff": "",
    "a paranoid second pass": "all files read again, without the diff",
    "writing for the diff": "the first snapshot again, with the contents that the diff needs",
}
"""What was measured, and what it is."""
Taken = tuple[float, float]
"""Seconds of the clock, and of the processors."""
Given = TypeVar("Given")


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _say(f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        place = Path(name)
        size = make_tree(place / "tree", options.files)
        os.sync()
        _say(f"{options.files:,} files, {size / 1e6:,.0f} MB; load average {os.getloadavg()[0]:.2f}")
        rounds = [_round(place, options.files, seed) for seed in range(options.rounds)]
        sizes = {file.name: file.stat().st_size for file in sorted(place.glob("workdir.*"))}
        git = _git(place, options.files, options.rounds)
        sizes["git's objects and index"] = sum(file.stat().st_size for file in place.glob("git/**/*") if file.is_file())
    _say(f"\n{_table(rounds, git)}\n")
    _say("\n".join(f"{name}: {size / 1e6:,.1f} MB" for name, size in sizes.items()))
    _say(f"load average at the end: {os.getloadavg()[0]:.2f}\n")
    _say("\n".join(_verdicts(rounds, options.files)))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=100_000, metavar="N", help="default: 100,000; at least 1,000")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3; git has one")
    parser.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="where the tree is made; default: as for all temporary files"
    )
    options = parser.parse_args()
    if options.files < 1000 or not 0 < options.rounds < 10:
        parser.error("at least 1,000 files, and 1 to 9 rounds")
    return options


def _round(place: Path, files: int, seed: int) -> dict[str, Taken]:
    root, first, second = place / "tree", place / "workdir.before", place / "workdir.after"
    for file in place.glob("workdir.*"):
        file.unlink()
    taken: dict[str, Taken] = {}
    before, taken["first pass"] = _timed(lambda: snapshot(root, file=first))
    first.rename(place / "workdir.before, as it was taken")
    done = change_tree(root, files, seed)
    after, walk = _timed(lambda: snapshot(root, previous=before, file=second))
    found, comparing = _timed(lambda: diff(before, after))
    told = {change.path: change.operation for change in found.changes}
    if told != done or any(change.note for change in found.changes) or found.unseen:
        raise SystemExit(f"the diff is wrong: {sorted(told.items() ^ done.items())[:5]}")
    taken["second pass"] = _sum(walk, comparing)
    taken["both passes"] = _sum(taken["first pass"], taken["second pass"])
    taken["of the second, the diff"] = comparing
    _, taken["a paranoid second pass"] = _timed(lambda: snapshot(root, previous=before, paranoid=True))
    _, taken["writing for the diff"] = _timed(lambda: write_snapshot(before, first, compared_with=[after]))
    return taken


def _git(place: Path, files: int, seed: int) -> dict[str, Taken]:
    env = {"PATH": os.environ["PATH"], "HOME": str(place), "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", f"--git-dir={place / 'git'}", f"--work-tree={place / 'tree'}"]

    def git(*words: str) -> None:
        subprocess.run([*command, *words], cwd=place / "tree", env=env, check=True, stdout=subprocess.DEVNULL)

    git("init", "--quiet")
    _, first = _timed(lambda: git("add", "--all"))
    change_tree(place / "tree", files, seed)
    _, second = _timed(lambda: git("status", "--porcelain"))
    return {"first pass": first, "second pass": second, "both passes": _sum(first, second)}


def _timed(work: Callable[[], Given]) -> tuple[Given, Taken]:
    started, cpu = time.perf_counter(), _cpu()
    result = work()
    return result, (time.perf_counter() - started, _cpu() - cpu)


def _cpu() -> float:
    return sum(os.times()[:4])


def _sum(one: Taken, other: Taken) -> Taken:
    return one[0] + other[0], one[1] + other[1]


def _table(rounds: Sequence[Mapping[str, Taken]], git: Mapping[str, Taken]) -> str:
    lines = [
        f"{'':24}  {'tachograph':>10} {'CPU':>6}  {'git':>6} {'CPU':>6}   seconds, medians of {len(rounds)} round(s)"
    ]
    for row, said in ROWS.items():
        ours = "{:10.2f} {:6.2f}".format(*(statistics.median(each[row][part] for each in rounds) for part in (0, 1)))
        theirs = "{:6.2f} {:6.2f}".format(*git[row]) if row in git else f"{'-':>6} {'-':>6}"
        lines.append(f"{row:24}  {ours}  {theirs}   {said}".rstrip())
    return "\n".join(lines)


def _verdicts(rounds: Sequence[Mapping[str, Taken]], files: int) -> Sequence[str]:
    if files != 100_000:
        return ["targets are for 100,000 files"]
    return [
        f"{what} < {limit} s: {'reached' if seconds < limit else 'missed'} with {seconds:.2f} s"
        for what, limit in TARGETS.items()
        for seconds in [statistics.median(each[what][0] for each in rounds)]
    ]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
