"""What the pytest plugin costs: processor time of pytest for each of 2,000 trivial tests, above none.

    python clients/python/bench/cost.py [ROUNDS]

Run it once with an agent beside it (`sidecar run`, root) and once without any: it says whether somebody listens. The sides
take turns; the figures are the medians of the rounds' differences to pytest without the plugin.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile

TESTS = 2000
SIDES = {"none": ["-p", "no:sidecar"], "sidecar": [], "junitxml": ["-p", "no:sidecar", "--junitxml=report.xml"]}


def seconds(folder, arguments):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(rounds):
    from sidecar_runtime import marks

    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "test_many.py"), "w", encoding="utf-8") as file:
            file.writelines(f"def test_{number}():\n    pass\n\n" for number in range(TESTS))
        for arguments in SIDES.values():
            seconds(folder, arguments)
        taken = {side: [] for side in SIDES}
        for _ in range(rounds):
            for side, arguments in SIDES.items():
                taken[side].append(seconds(folder, arguments))
    print("somebody listens" if marks.listening() else "nobody listens")
    for side in SIDES:
        above = [(one - none) / TESTS * 1e6 for one, none in zip(taken[side], taken["none"])]
        print(f"{side:9} {statistics.median(above):7.1f} us a test ({min(above):.1f} to {max(above):.1f})")


main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
