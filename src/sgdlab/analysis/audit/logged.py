"""What the audit can say of logs of others: of most questions, that the file cannot tell."""

from sgdlab.analysis import words
from sgdlab.analysis.audit import finals
from sgdlab.analysis.audit.check import FAIL, WARN, AuditFinding, Case, passed, warned
from sgdlab.analysis.units import RUN

CANNOT_TELL = "not known: the file cannot tell"


def cannot_tell(case: Case) -> AuditFinding:
    """No log says how its runs came to be: this is a warning, never a pass."""
    return AuditFinding(WARN, CANNOT_TELL)


def as_many_runs(case: Case) -> AuditFinding:
    """Every contender has as many runs; independent samples may differ, and a reader knows it."""
    found = finals.equal_units(case)
    independent = all(entry.unit == RUN for entry in case.entries)
    return warned(found.detail) if found.status == FAIL and independent else found


def pairs_of_logs(case: Case) -> AuditFinding:
    """Equal units are pairs where they share weights and batches, which no log says."""
    if len(case.entries) < 2:
        return case.only_one
    logged = case.workload.logged
    if logged is None or not logged.unit:
        return passed("no unit is paired: samples are compared as independent (Welch's t-test)")
    units = [set(entry.units) for entry in case.entries]
    common = set[float].intersection(*units)
    told = f"{words.count(len(common), 'value')} of {logged.unit} common to all"
    if any(own != common for own in units):
        told += ", others not"
    return warned(
        f"{told}: taken as pairs; whether these share weights and batches the file cannot tell "
        "(if not, the test is valid, and weaker than one of independent samples)"
    )
