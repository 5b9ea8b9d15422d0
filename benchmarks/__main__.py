"""``python -m benchmarks``: starts all servers, asks them in turn, prints one table.

Only ratios of figures from the same run mean something on another machine. In each round
every server bears the same load once, one after the other, and a ratio is the median of the
rounds' ratios: what else the machine does meets all of them alike.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from contextlib import ExitStack
from statistics import median

from benchmarks.browse import measure_page
from benchmarks.cold import measure_cold
from benchmarks.content import Content, make_content
from benchmarks.crowds import measure_crowds, measure_start
from benchmarks.measures import MEASURES, RATIOS, Sample
from benchmarks.servers import MINREG, NGINX, Server, Starter, missing_programs

Samples = dict[str, dict[str, list[Sample]]]
"""By measure and server, a sample for each round."""


def main() -> None:
    """Measure, and print what was found."""
    options = _parse()
    if missing := missing_programs():
        sys.exit(f"missing: apt install {' '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="minreg-bench-") as directory, ExitStack() as running:
        content = make_content(directory)
        os.chmod(directory, 0o755)
        servers = _start(options.only, content, running)
        time.sleep(1)
        idle = {name: server.resident() for name, server in servers.items()}
        start = {name: server.start_seconds for name, server in servers.items()}
        samples = _measure(options.only, servers, content, options.rounds, options.seconds)
        running.close()
        figures = _measure_crowds(content) if options.crowds else {}
    _print_figures(samples)
    _print_costs(start, idle)
    _print_ratios(samples)
    for words, figure in figures.items():
        print(f"{words:60} {figure:10.2f}")
    if options.json:
        record = {
            "machine": describe_machine(),
            "idle": idle,
            "start": start,
            "samples": samples,
            "figures": figures,
        }
        with open(options.json, "w", encoding="ascii") as file:
            json.dump(record, file, indent=1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each server is asked")
    parser.add_argument("--seconds", type=int, default=3, help="how long wrk asks each time")
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--crowds", action="store_true", help="measure crowds, pages, a slow disk")
    parser.add_argument("--json", metavar="FILE", help="write all samples there")
    return parser.parse_args()


def _start(measures: list[str], content: Content, running: ExitStack) -> dict[str, Server]:
    needed = {name for measure in measures for name in MEASURES[measure].servers}
    servers = {}
    for name in sorted(needed):
        try:
            servers[name] = Starter(content).start(name)
        except RuntimeError as error:
            print(error)
            continue
        running.callback(servers[name].stop)
    return servers


def _measure(
    measures: list[str], servers: dict[str, Server], content: Content, rounds: int, seconds: int
) -> Samples:
    """Take all samples; the first round only warms up what is cached."""
    samples: Samples = {}
    for measure in measures:
        asked = [name for name in MEASURES[measure].servers if name in servers]
        samples[measure] = {name: [] for name in asked}
        for turn in range(rounds + 1):
            for name in asked:
                taken = MEASURES[measure].take(servers[name], content, seconds if turn else 1)
                if turn:
                    samples[measure][name].append(taken)
    return samples


def _measure_crowds(content: Content) -> dict[str, float]:
    starter = Starter(content)
    figures = measure_crowds(starter, content) | measure_start(starter, content.directory)
    figures |= measure_page(starter, content.directory)
    for name in (MINREG, NGINX):
        figures |= measure_cold(starter, content, name)
    return figures


def _print_figures(samples: Samples) -> None:
    print(f"\n{'load':32} {'server':20} medians")
    for measure, by_server in samples.items():
        for name, taken in by_server.items():
            figures = ", ".join(
                f"{median(sample[figure] for sample in taken):.4g} {figure}" for figure in taken[0]
            )
            print(f"{MEASURES[measure].words:32} {name:20} {figures}")


def _print_costs(start: dict[str, float], idle: dict[str, int]) -> None:
    print(f"\n{'server':20} {'start, s':>10} {'idle, MB':>10}")
    for name, seconds in start.items():
        print(f"{name:20} {seconds:10.2f} {idle[name] / 1e6:10.1f}")


def _print_ratios(samples: Samples) -> None:
    print(f"\n{'ratio':80} {'median':>8} {'lowest':>8} {'highest':>8}  target")
    for line in RATIOS:
        taken = samples.get(line.measure, {})
        if line.server not in taken or line.peer not in taken:
            continue
        pairs = zip(taken[line.server], taken[line.peer], strict=True)
        found = sorted(ours[line.figure] / theirs[line.figure] for ours, theirs in pairs)
        words = f"{MEASURES[line.measure].words}, {line.figure}: {line.server} / {line.peer}"
        print(f"{words:80} {median(found):8.2f} {found[0]:8.2f} {found[-1]:8.2f}  {line.target}")


def describe_machine() -> dict[str, object]:
    """Say what ran the servers, without naming it."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = {line.partition(":")[2].strip() for line in file if line.startswith("model name")}
    return {
        "processors": os.cpu_count(),
        "model": ", ".join(sorted(models)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }


if __name__ == "__main__":
    main()
