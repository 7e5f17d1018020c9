#!/usr/bin/env python3
"""Reads the logs of test tools and prints how many tests passed, failed and were skipped: three numbers.

Each tool is believed in its own closing words; what none of them says is not counted.

    count.py LOG...          prints "passed failed skipped"
    count.py --self-test     tries each pattern on the words that it is for
"""

import re
import sys

COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def number(line, word):
    """The number before a word: "12 passed" is 12, its absence is 0."""
    found = re.search(rf"(\d+) {word}\b", line)
    return int(found.group(1)) if found else 0


def count(text):
    passed = failed = skipped = 0
    summary = None
    for line in COLOURS.sub("", text).splitlines():
        if re.match(r"test result: (ok|FAILED)\. ", line):  # cargo test
            passed += number(line, "passed")
            failed += number(line, "failed")
            skipped += number(line, "ignored")
        elif re.match(r"\s*Summary \[.*\] +[\d/]+ tests? run:", line):  # cargo nextest
            # "3 passed (1 slow, 1 flaky), 1 failed, 1 timed out, 2 skipped". What it calls skipped its filter left to another
            # stage, and is not counted here; a test that could not run says SKIPPED itself.
            passed += number(line, "passed")
            failed += number(line, "failed") + number(line, "timed out") + number(line, "exec failed")
        elif re.match(r"\s*Tests  +(\d+ (failed|passed|skipped|todo)|no tests)", line):  # vitest
            passed += number(line, "passed")
            failed += number(line, "failed")
            skipped += number(line, "skipped") + number(line, "todo")
        elif re.match(r"\s+\d+ (passed|failed|flaky|skipped|did not run)( \([\d.]+[a-z]+\))?$", line):  # playwright
            passed += number(line, "passed") + number(line, "flaky")
            failed += number(line, "failed") + number(line, "did not run")
            skipped += number(line, "skipped")
        elif re.match(r"(PASS|FAIL)  ? *\S", line):  # one line a check: shellcheck.sh, arrows.sh, tests/cluster/check.sh
            passed += line.startswith("PASS")
            failed += line.startswith("FAIL")
        elif re.match(r"\s*--- (PASS|FAIL|SKIP): ", line):  # go test -v
            passed += "--- PASS" in line
            failed += "--- FAIL" in line
            skipped += "--- SKIP" in line
        elif re.match(r"([A-Za-z][\w ]*: )?\d+ passed, \d+ failed(, \d+ skipped)?$", line):  # a script's closing line
            summary = line
        elif "SKIPPED: " in line:  # a test that could not run here; the tool counts it as passed
            passed -= 1
            skipped += 1
    if summary:
        passed += number(summary, "passed")
        failed += number(summary, "failed")
        skipped += number(summary, "skipped")
    return passed, failed, skipped


CASES = [
    ("test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.1s", (12, 0, 3)),
    ("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\ntest result: ok. 4 passed; 0 failed; 0 ignored", (5, 2, 0)),
    ("     Summary [   0.352s] 5 tests run: 4 passed (1 slow), 1 failed, 2 skipped", (4, 1, 0)),
    ("     Summary [   0.352s] 4/9 tests run: 2 passed, 1 failed, 1 timed out, 0 skipped", (2, 2, 0)),
    ("     Summary [   0.352s] 1 test run: 1 passed, 0 skipped", (1, 0, 0)),
    ("\x1b[2m      Tests \x1b[22m \x1b[1m\x1b[32m14 passed\x1b[39m\x1b[22m\x1b[90m (14)\x1b[39m", (14, 0, 0)),
    ("      Tests  1 failed | 13 passed | 2 skipped (16)\n Test Files  1 failed | 3 passed (4)", (13, 1, 2)),
    ("  1 failed\n    e2e/a.spec.ts:3:1 › x\n  2 skipped\n  9 passed (12.3s)", (9, 1, 2)),
    ("PASS  scripts/x.sh\nFAIL  scripts/y.sh\nPASS   1.2 s  node Ready\nPASS 106.9 s  helm", (3, 1, 0)),
    ("    test result: ok. 1 passed; 0 failed; 0 ignored; shown by nextest, which counts it itself", (0, 0, 0)),
    ("--- PASS: TestA (0.00s)\n    --- PASS: TestA/one (0.00s)\nok  \tx\t0.1s", (2, 0, 0)),
    ("FAILED x\n  7 checks\ncharts: 31 passed, 1 failed", (31, 1, 0)),
    ("nothing of the kind: 3 passed by", (0, 0, 0)),
]


def self_test():
    wrong = [(text, want, count(text)) for text, want in CASES if count(text) != want]
    for text, want, got in wrong:
        print(f"FAIL  {text!r}: counted {got}, not {want}")
    print(f"count: {len(CASES) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    totals = [0, 0, 0]
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8", errors="replace") as log:
            totals = [a + b for a, b in zip(totals, count(log.read()))]
    print(*totals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
