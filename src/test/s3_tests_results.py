"""A pytest plugin: one line a test to the file named by S3_TESTS_RESULTS, as soon as it ended."""

import os

outcomes = {}


def reason_of(report):
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        text = crash.message
    elif isinstance(report.longrepr, tuple):
        text = report.longrepr[2]
    else:
        text = str(report.longrepr or "")
    return " ".join(text.split())[:160]


def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        word, reason = outcomes.get(report.nodeid, (None, ""))
        if word != "FAILED":
            outcomes[report.nodeid] = (report.outcome.upper(), "" if report.passed else reason_of(report))
    if report.when == "teardown":
        word, reason = outcomes.pop(report.nodeid, ("FAILED", "no outcome"))
        with open(os.environ["S3_TESTS_RESULTS"], "a", encoding="utf-8") as results:
            results.write(f"{word}\t{report.nodeid}\t{reason}\n")
